"""How often is the kit wrong: services of known truth, simulated, and real tickets dealt to two sides at random.

`python -m calibration` runs everything and writes docs/calibration.md; the tests run the same functions briefly.
"""
