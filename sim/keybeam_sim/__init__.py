"""The digital twin of link and terminals, simulator back ends and co-simulation."""
