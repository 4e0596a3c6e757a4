"""Owns players and models that are simulated, and the tables that they play at: for measurements, attacks and fuzz tests."""
