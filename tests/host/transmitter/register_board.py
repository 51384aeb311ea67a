"""A transmitter that is nothing but its registers."""

from keybeam.device.register_map import load_register_map
from keybeam.protocol.identity import Role


class RegisterBoard:
    """Holds what is written, as reset left it; keeps the order of the writes.

    A read-only field shows what a test puts into `shown`, else 0. The entries of tables are kept.
    """

    def __init__(self, **shown):
        self._map = load_register_map(Role.TRANSMITTER)
        self.values, self.writes = {}, []
        self.shown = {name.replace("__", "."): value for name, value in shown.items()}
        self.tables = {"map": {}, "user": {}, "lane": {}}
        for register in self._map.registers:
            for field in register.fields:
                self.values[f"{register.name}.{field.name}"] = field.reset or 0

    def read(self, name):
        _, field = self._map.find(name)
        assert field is not None
        assert field.access != "w", f"{name} cannot be read"
        return self.shown.get(name, self.values[name])

    def write(self, name, value):
        _, field = self._map.find(name)
        assert field is not None
        assert field.access != "r", f"{name} cannot be written"
        assert 0 <= value < 1 << field.width, f"{name} cannot be {value}"
        self.writes.append((name, value))
        block, register, _ = name.split(".")
        table, _, part = register.partition("_")
        if block == "pattern" and part == "entry":
            address = f"pattern.{table}_address.address"
            self.tables[table][self.values[address]] = value
            self.values[address] += 1
        elif field.access == "rw1c":
            self.values[name] &= ~value
        else:
            self.values[name] = value
