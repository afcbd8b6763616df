"""What the bits of the database codes carry."""

import numpy as np

from softhash.functional.codes import unpack
from softhash.functional.statistics import (
    bit_balance,
    bit_correlation,
    bit_entropy,
    effective_bits,
    fraction_near_zero,
)
from softhash.report.drawing import BLUE, INK, Drawing, RunFigure, panels
from softhash.runs.folder import Run


class Bits(RunFigure):
    """Balance and correlation of the bits of the first method, and the relaxed values that they come from."""

    name, section, order, wide = "bits", "Codes", 50, True
    caption = (
        "Bits carry most when half of the images have a 1 (left) and no two bits say the same (middle). Values near 0"
        " (right) are bits that a small change of the image flips."
    )

    def draw(self, run: Run) -> Drawing:
        """Three panels."""
        codes = run.codes(run.record().methods[0].name)
        unpacked, bits = unpack(codes.database, codes.bits), codes.bits
        shares, correlations = bit_balance(unpacked).numpy(), bit_correlation(unpacked).numpy()
        figure, (balance, correlation, histogram) = panels(3.6, 3.4, 3)

        balance.bar(range(bits), shares, color=BLUE, width=0.8)
        balance.axhline(0.5, color=INK, lw=0.8, ls="--")
        balance.set(title=f"Balance: entropy {bit_entropy(unpacked):.2f} of 1", xlabel="bit", ylabel="share of ones")
        balance.set_ylim(0, 1)

        image = correlation.imshow(correlations, cmap="RdBu_r", vmin=-1, vmax=1)
        correlation.set(title=f"Correlation: {effective_bits(unpacked):.1f} effective bits of {bits}", xlabel="bit")
        correlation.grid(visible=False)
        figure.colorbar(image, ax=correlation, shrink=0.8).outline.set_visible(False)

        relaxed = codes.relaxed.numpy()
        low, high = np.quantile(relaxed, [0.001, 0.999])
        counts, edges, _ = histogram.hist(relaxed.clip(low, high).ravel(), bins=80, color=BLUE, histtype="stepfilled")
        histogram.axvline(0, color=INK, lw=0.8, ls="--")
        histogram.locator_params(axis="x", nbins=5)
        near = fraction_near_zero(codes.relaxed)
        histogram.set(title=f"Relaxed values: {near:.1%} near 0", xlabel="value before the sign", yticks=[])
        rows: list[tuple[object, ...]] = [("share of ones", bit, "", share) for bit, share in enumerate(shares)]
        rows += [("correlation", bit, other, correlations[bit, other]) for other in range(bits) for bit in range(other)]
        rows += [("relaxed values between", *bin_) for bin_ in zip(edges[:-1], edges[1:], counts, strict=True)]
        return Drawing(figure, ["what", "bit, or lower edge", "other bit, or upper edge", "value"], rows)


FIGURE = Bits()
