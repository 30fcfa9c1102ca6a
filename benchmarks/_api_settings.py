"""The product's settings, with the bare views of the benchmark beside its addresses."""

from config.settings import *  # noqa: F403  # Django reads settings off one module; these are all of them

ROOT_URLCONF = "benchmarks._api_urls"
