"""The KPIs of the method by family: each function returns a KPI as its competing definitions, the default first."""
