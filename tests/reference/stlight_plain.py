"""STLight word for word from its description (docs/method.md section 6), with ordinary layers in NCHW order.

Slow and plain on purpose: the package's network must equal it. Parameters come in the same order as there, so
`load_from` copies them one by one.
"""

import torch
from torch import nn


def grow(x, *, rows, columns, periodic):
    """`rows = (before, after)` rows of zeros, and as many `columns` of zeros or, if periodic, of the other side."""
    width = x.shape[3]
    x = torch.cat(
        [
            x.new_zeros(*x.shape[:2], rows[0], width),
            x,
            x.new_zeros(*x.shape[:2], rows[1], width),
        ],
        dim=2,
    )
    taken = []
    for column in range(-columns[0], width + columns[1]):
        if 0 <= column < width or periodic:
            taken.append(x[..., column % width])
        else:
            taken.append(torch.zeros_like(x[..., 0]))
    return torch.stack(taken, dim=3)


class PlainMixer(nn.Module):
    def __init__(self, d, *, k1=3, k2=7, dilation=3, periodic=False):
        super().__init__()
        self.periodic = periodic
        if periodic:
            self.pad1, self.pad2 = k1 // 2, dilation * (k2 // 2)
            self.conv1 = nn.Conv2d(d, d, k1, groups=d)
            self.conv2 = nn.Conv2d(d, d, k2, groups=d, dilation=dilation)
        else:
            self.conv1 = nn.Conv2d(d, d, k1, groups=d, padding="same")
            self.conv2 = nn.Conv2d(d, d, k2, groups=d, padding="same", dilation=dilation)
        self.norm1 = nn.BatchNorm2d(d)
        self.point = nn.Conv2d(d, d, 1)
        self.norm2 = nn.BatchNorm2d(d)
        self.gelu = nn.GELU()

    def depthwise(self, x):
        if not self.periodic:
            return self.conv2(self.conv1(x))
        for conv, pad in ((self.conv1, self.pad1), (self.conv2, self.pad2)):
            x = conv(grow(x, rows=(pad, pad), columns=(pad, pad), periodic=True))
        return x

    def forward(self, x):
        x = x + self.norm1(self.gelu(self.depthwise(x)))
        return self.norm2(self.gelu(self.point(x)))


class PlainSTLight(nn.Module):
    def __init__(self, c_in, c_out, *, d, depth, p=2, overlap=0, k1=3, k2=7, dilation=3, periodic=False):
        super().__init__()
        self.p, self.k, self.periodic = p, p * max(1, overlap), periodic
        self.pad = max(0, overlap - 1) * p // 2
        self.encode = nn.Conv2d(c_in, d, self.k, stride=p, padding=0)
        self.norm = nn.BatchNorm2d(d)
        self.mixers = nn.ModuleList(
            PlainMixer(d, k1=k1, k2=k2, dilation=dilation, periodic=periodic) for _ in range(depth)
        )
        self.gelu = nn.GELU()
        self.shuffle = nn.PixelShuffle(p)
        self.decode = nn.Conv2d(d // p**2, c_out, 1)

    def forward(self, x):
        h, w = x.shape[2:]
        p = self.p
        # A multiple of p, so that there are whole patches; p = 1 with overlap 2 needs one cell more at the end.
        extra = self.k - p - 2 * self.pad
        rows = (self.pad, -h % p + self.pad + extra)
        columns = (self.pad, -w % p + self.pad + extra)
        x = self.gelu(self.norm(self.encode(grow(x, rows=rows, columns=columns, periodic=self.periodic))))
        depth = len(self.mixers)
        entered = []
        for block, mixer in enumerate(self.mixers):
            if block == 2 * depth // 3 and depth // 3 < block:
                x = x + entered[depth // 3]
            entered.append(x)
            x = mixer(x)
        return self.decode(self.shuffle(x))[:, :, :h, :w]

    def load_from(self, other):
        mine, theirs = self.state_dict(), list(other.state_dict().values())
        assert [v.shape for v in mine.values()] == [v.shape for v in theirs]
        self.load_state_dict(dict(zip(mine, theirs, strict=True)))
        return self
