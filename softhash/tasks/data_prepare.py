"""``softhash data prepare``: the caches that later trainings read."""

from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console

from softhash.data.features import FeatureDataModule
from softhash.data.photos import PhotoDataModule


def run(cfg: DictConfig) -> None:
    """Decode photos into the image cache, and compute features where the backbone is frozen."""
    console = Console(soft_wrap=True)
    data = instantiate(cfg.data)
    photos, frozen = isinstance(data, PhotoDataModule), cfg.backbone.get("frozen", False)
    if photos:
        console.print(f"Image cache: {data.build_cache()}", markup=False)
    if frozen:  # splits made anew read from the image cache
        features = FeatureDataModule(instantiate(cfg.data), instantiate(cfg.views), cfg.cache_dir, cfg.cached_views)
        features.prepare_data()
        console.print(f"Features: {features.cache.folder}", markup=False)
    if not photos and not frozen:
        console.print(f"data={cfg.names.data} is in memory: there is nothing to prepare.", markup=False)
