"""Drop and regrow in plain loops: one site at a time, obviously right, and slow."""


def drop_regrow_by_hand(active, fixed, forbidden, *, drop_by, grow_by, n_active, n_swap):
    """Kept and regrown sites as two sets."""
    n = len(active)
    kept = {s for s in range(n) if active[s]}
    room = max(n_active - n_swap, sum(fixed))
    while len(kept) > room:
        worst = None
        for s in sorted(kept):
            if fixed[s]:
                continue
            if worst is None or drop_by[s] <= drop_by[worst]:  # of two equal ones the higher index leaves
                worst = s
        kept.remove(worst)
    grown = set()
    while len(kept) + len(grown) < n_active:
        best = None
        for s in range(n):
            if s in kept or s in grown or forbidden[s]:
                continue
            if best is None or grow_by[s] > grow_by[best]:  # of two equal ones the lower index comes
                best = s
        grown.add(best)
    return kept, grown


def gate_by_hand(stream, support):
    """The gated stream, value by value, from nested lists."""
    return [
        [[value * float(on) for value in row] for row, on in zip(sample, support, strict=True)] for sample in stream
    ]


def gate_gradient_by_hand(stream, upstream):
    """``sum over b and f of x * dL/dx_eff`` for each site, from nested lists."""
    n = len(stream[0])
    return [
        sum(x * g for sample, up in zip(stream, upstream, strict=True) for x, g in zip(sample[s], up[s], strict=True))
        for s in range(n)
    ]
