"""The sources of earthquakes by name: `QUAKECAST_CATALOGUE_SOURCE` chooses one. docs/EXTENDING.md shows how to add one."""

SOURCES = {
    "usgs": "forecaster.catalog.sources.usgs",
}
"""By name the module with `open_source`."""
