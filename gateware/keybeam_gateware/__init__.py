"""Everything that becomes logic, in Amaranth."""
