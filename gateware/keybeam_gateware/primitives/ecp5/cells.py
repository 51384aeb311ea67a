"""Flip-flops of which it matters whether the global reset reaches them."""

from amaranth.hdl import ClockSignal, Instance, Module, Signal, Value

__all__ = ["register"]


def register(m: Module, name: str, domain: str, data: Value, *, global_reset: bool) -> Signal:
    """Register a signal in flip-flops that follow the global reset, or do not; starts at 0.

    Parameters
    ----------
    m : Module
        Where the flip-flops go.
    name : str
        Name of the signal, and beginning of the names of the cells.
    domain : str
        Clock domain.
    data : Value
        What is registered.
    global_reset : bool
        Whether the global reset sets it to 0.
    """
    output = Signal(len(data), name=name)
    for bit in range(len(data)):
        m.submodules[f"{name}_{bit}"] = Instance(
            "FD1S3AX",
            p_GSR="ENABLED" if global_reset else "DISABLED",
            i_CK=ClockSignal(domain),
            i_D=data[bit],
            o_Q=output[bit],
        )
    return output
