"""The whole Earth once a day: the published combination for a circle about every cell with seismicity, its record, page and export."""
