"""Flip-flops of which it matters whether the global reset reaches them."""

from amaranth.hdl import ClockSignal, Instance, Module, Signal, Value

__all__ = ["register"]


def register(
    m: Module, name: str, domain: str, data: Value, *, global_reset: bool, clear=None, preset=None
) -> Signal:
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
    clear, preset : Value, optional
        At most one of them: sets it to 0, or to all ones, without waiting for a clock.
    """
    kind, asynchronous = "FD1S3AX", {}
    if clear is not None:
        kind, asynchronous = "FD1S3DX", {"i_CD": clear}
    elif preset is not None:
        kind, asynchronous = "FD1S3BX", {"i_PD": preset}
    output = Signal(len(data), name=name)
    for bit in range(len(data)):
        m.submodules[f"{name}_{bit}"] = Instance(
            kind,
            p_GSR="ENABLED" if global_reset else "DISABLED",
            i_CK=ClockSignal(domain),
            i_D=data[bit],
            **asynchronous,
            o_Q=output[bit],
        )
    return output
