"""The daily world map: the published combination for a circle about every cell with seismicity, its track record, page and export."""
