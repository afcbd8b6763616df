"""What the bits of the database codes carry."""

import numpy as np
from matplotlib.figure import Figure

from softhash.functional.codes import unpack
from softhash.functional.statistics import (
    bit_balance,
    bit_correlation,
    bit_entropy,
    effective_bits,
    fraction_near_zero,
)
from softhash.report.drawing import BLUE, INK, RunFigure
from softhash.runs.folder import Run


class Bits(RunFigure):
    """Balance and correlation of the bits of the first method, and the relaxed values that they come from."""

    name, section, order, wide = "bits", "Codes", 50, True
    caption = (
        "Bits carry most when half of the images have a 1 (left) and no two bits say the same (middle). Values near 0"
        " (right) are bits that a small change of the image flips."
    )

    def draw(self, run: Run) -> Figure | None:
        """Three panels."""
        codes = run.codes(run.record().methods[0].name)
        unpacked, bits = unpack(codes.database, codes.bits), codes.bits
        figure = Figure(figsize=(10.8, 3.4), layout="constrained")
        balance, correlation, histogram = figure.subplots(1, 3)

        balance.bar(range(bits), bit_balance(unpacked).numpy(), color=BLUE, width=0.8)
        balance.axhline(0.5, color=INK, lw=0.8, ls="--")
        balance.set(title=f"Balance: entropy {bit_entropy(unpacked):.2f} of 1", xlabel="bit", ylabel="share of ones")
        balance.set_ylim(0, 1)

        image = correlation.imshow(bit_correlation(unpacked).numpy(), cmap="RdBu_r", vmin=-1, vmax=1)
        correlation.set(title=f"Correlation: {effective_bits(unpacked):.1f} effective bits of {bits}", xlabel="bit")
        correlation.grid(visible=False)
        figure.colorbar(image, ax=correlation, shrink=0.8).outline.set_visible(False)

        relaxed = codes.relaxed.numpy()
        low, high = np.quantile(relaxed, [0.001, 0.999])
        histogram.hist(relaxed.clip(low, high).ravel(), bins=80, color=BLUE, histtype="stepfilled")
        histogram.axvline(0, color=INK, lw=0.8, ls="--")
        near = fraction_near_zero(codes.relaxed)
        histogram.set(title=f"Relaxed values: {near:.1%} near 0", xlabel="value before the sign", yticks=[])
        return figure


FIGURE = Bits()
