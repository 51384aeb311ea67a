"""The main job: one simulated satellite pass, from random numbers to a shared key."""
