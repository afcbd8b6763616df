"""Speed claims, as ratios against the alternative in one run; ``make bench`` runs them."""
