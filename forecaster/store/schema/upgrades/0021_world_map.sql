-- The map of the world: what the published combination said once a day of the circle about every cell with seismicity, and its record.

CREATE TABLE world_map (
    issue        INTEGER PRIMARY KEY,
    issue_time   TIMESTAMPTZ NOT NULL,
    as_of        TIMESTAMPTZ NOT NULL,
    target_start TIMESTAMPTZ NOT NULL,
    mode         VARCHAR NOT NULL,
    resolution   UTINYINT NOT NULL,
    radius_km    DOUBLE NOT NULL,
    cells        INTEGER NOT NULL,
    weights      JSON NOT NULL,
    left_out     JSON NOT NULL,
    problems     JSON NOT NULL,
    code_version VARCHAR NOT NULL,
    run_id       VARCHAR,
    created_at   TIMESTAMPTZ NOT NULL,
    UNIQUE (target_start, mode, resolution)
);
COMMENT ON TABLE world_map IS 'The issues of the map of the world, one a day of UTC; never changed';
COMMENT ON COLUMN world_map.issue IS '1, 2, ... in the order in which they were stored';
COMMENT ON COLUMN world_map.issue_time IS 'When it was made';
COMMENT ON COLUMN world_map.as_of IS 'From what was known then';
COMMENT ON COLUMN world_map.target_start IS 'Start of the day and of the week that it forecasts, 0:00 UTC';
COMMENT ON COLUMN world_map.mode IS 'prospective (stored before the day, by the machine''s clock), late (the day had begun) or replay; never mix them';
COMMENT ON COLUMN world_map.resolution IS 'Of the H3 grid: 3 has cells of about 12,400 km2';
COMMENT ON COLUMN world_map.radius_km IS 'Of the circle about each centre that is forecast';
COMMENT ON COLUMN world_map.cells IS 'Cells with seismicity: ten earthquakes of M 5 or more within the circle since the record begins';
COMMENT ON COLUMN world_map.weights IS 'Of the members by kind, as JSON; empty: the usual rate alone';
COMMENT ON COLUMN world_map.left_out IS 'What has no forecast and why, in words, as JSON';
COMMENT ON COLUMN world_map.problems IS 'What makes it less than it should be, in words, as JSON';
COMMENT ON COLUMN world_map.code_version IS 'Version of quakecast that made it';
COMMENT ON COLUMN world_map.run_id IS 'The run that made it';
COMMENT ON COLUMN world_map.created_at IS 'When it was stored';

CREATE TABLE world_place (
    cell          UBIGINT PRIMARY KEY,
    resolution    UTINYINT NOT NULL,
    latitude_deg  DOUBLE NOT NULL,
    longitude_deg DOUBLE NOT NULL,
    area_km2      DOUBLE NOT NULL,
    place         VARCHAR
);
COMMENT ON TABLE world_place IS 'Where the cells of the map of the world lie';
COMMENT ON COLUMN world_place.cell IS 'H3''s number of the cell';
COMMENT ON COLUMN world_place.resolution IS 'Of the H3 grid';
COMMENT ON COLUMN world_place.latitude_deg IS 'Of the centre, degrees north';
COMMENT ON COLUMN world_place.longitude_deg IS 'Of the centre, degrees east';
COMMENT ON COLUMN world_place.area_km2 IS 'Of the cell, not of the circle';
COMMENT ON COLUMN world_place.place IS 'What the service called the place of the earthquake nearest to the centre; NULL where none lies within 100 km';

-- No key: its index would be larger than the rows. An issue is written once, with its row of world_map.
CREATE TABLE world_cell (
    issue             INTEGER NOT NULL,
    cell              UBIGINT NOT NULL,
    magnitude         FLOAT NOT NULL,
    horizon_days      UTINYINT NOT NULL,
    probability       FLOAT NOT NULL CHECK (probability > 0 AND probability < 1),
    usual_probability FLOAT NOT NULL CHECK (usual_probability > 0 AND usual_probability < 1)
);
COMMENT ON TABLE world_cell IS 'What the map of the world said: one row an issue, cell, magnitude and horizon. Kept for QUAKECAST_KEEP_WORLD_DAYS';
COMMENT ON COLUMN world_cell.issue IS 'The issue, as in world_map';
COMMENT ON COLUMN world_cell.cell IS 'H3''s number of the cell, as in world_place';
COMMENT ON COLUMN world_cell.magnitude IS 'Smallest magnitude that counts';
COMMENT ON COLUMN world_cell.horizon_days IS 'Days of UTC from the start of the target';
COMMENT ON COLUMN world_cell.probability IS 'Of at least one such earthquake in the circle and window';
COMMENT ON COLUMN world_cell.usual_probability IS 'What is usual for such a window, from the last ten years';

CREATE TABLE world_score (
    issue                    INTEGER NOT NULL,
    magnitude                FLOAT NOT NULL,
    horizon_days             UTINYINT NOT NULL,
    status                   VARCHAR NOT NULL CHECK (status IN ('provisional', 'final')),
    as_of                    TIMESTAMPTZ NOT NULL,
    cells                    INTEGER NOT NULL,
    events                   INTEGER NOT NULL,
    events_elsewhere         INTEGER NOT NULL,
    active_cells             INTEGER NOT NULL,
    expected_cells           DOUBLE NOT NULL,
    cells_low                INTEGER NOT NULL,
    cells_high               INTEGER NOT NULL,
    usual_expected_cells     DOUBLE NOT NULL,
    n_delta1                 DOUBLE NOT NULL,
    n_delta2                 DOUBLE NOT NULL,
    s_gamma                  DOUBLE,
    l_gamma                  DOUBLE NOT NULL,
    log_likelihood           DOUBLE NOT NULL,
    usual_log_likelihood     DOUBLE NOT NULL,
    PRIMARY KEY (issue, magnitude, horizon_days)
);
COMMENT ON TABLE world_score IS 'How each issue of the map of the world did as a pool of cells: consistency tests of CSEP in binary form (Zechar et al. 2010, doi:10.1785/0120090192), and its log likelihood beside that of smoothed seismicity, the usual rate';
COMMENT ON COLUMN world_score.issue IS 'The issue, as in world_map';
COMMENT ON COLUMN world_score.magnitude IS 'Smallest magnitude that counts';
COMMENT ON COLUMN world_score.horizon_days IS 'Days of UTC from the start of the target';
COMMENT ON COLUMN world_score.status IS 'provisional or final (45 days after the window)';
COMMENT ON COLUMN world_score.as_of IS 'By the catalogue as it was known then';
COMMENT ON COLUMN world_score.cells IS 'Cells that were forecast';
COMMENT ON COLUMN world_score.events IS 'Earthquakes in them';
COMMENT ON COLUMN world_score.events_elsewhere IS 'Earthquakes in cells without a forecast, which nothing was said of';
COMMENT ON COLUMN world_score.active_cells IS 'Cells with at least one';
COMMENT ON COLUMN world_score.expected_cells IS 'How many were expected';
COMMENT ON COLUMN world_score.cells_low IS 'Lower end of the 95 % range of their number by the forecast';
COMMENT ON COLUMN world_score.cells_high IS 'Upper end of that range, inside it';
COMMENT ON COLUMN world_score.usual_expected_cells IS 'How many the usual rate expects';
COMMENT ON COLUMN world_score.n_delta1 IS 'N test: the chance of as many active cells or more; below 0.025 too few were expected';
COMMENT ON COLUMN world_score.n_delta2 IS 'N test: the chance of as many or fewer; below 0.025 too many were expected';
COMMENT ON COLUMN world_score.s_gamma IS 'S test: the share of simulated patterns of as many cells that are as likely or less; below 0.05 they are in the wrong places; NULL without an active cell';
COMMENT ON COLUMN world_score.l_gamma IS 'L test: the share of simulated records that are as likely or less; below 0.05 the forecast is rejected';
COMMENT ON COLUMN world_score.log_likelihood IS 'Of all cells, nats';
COMMENT ON COLUMN world_score.usual_log_likelihood IS 'The same of smoothed seismicity: the usual rate of each circle, spread over its cell';

CREATE VIEW v_world AS
    SELECT (m.target_start AT TIME ZONE 'UTC')::DATE AS day, c.horizon_days, round(c.magnitude::DOUBLE, 1) AS magnitude, printf('%x', c.cell) AS cell,
           p.place, p.latitude_deg, p.longitude_deg, c.probability::DOUBLE AS probability, c.usual_probability::DOUBLE AS usual_probability,
           c.probability::DOUBLE / c.usual_probability::DOUBLE AS ratio, m.issue = (SELECT max(issue) FROM world_map) AS newest, m.mode,
           m.target_start, m.target_start + to_hours(24 * c.horizon_days::INTEGER) AS target_end, m.radius_km, p.area_km2, m.issue_time, m.as_of,
           m.issue
    FROM world_cell c JOIN world_map m USING (issue) JOIN world_place p USING (cell);
COMMENT ON VIEW v_world IS 'The map of the world: what was said of the circle about every cell with seismicity; one row an issue, cell, magnitude and horizon';
COMMENT ON COLUMN v_world.day IS 'First day of the window (UTC)';
COMMENT ON COLUMN v_world.horizon_days IS 'Days of the window: 1, or 7';
COMMENT ON COLUMN v_world.magnitude IS 'Smallest magnitude that counts; M 4.5 only where the catalogue is complete down to it';
COMMENT ON COLUMN v_world.cell IS 'The cell by its H3 name';
COMMENT ON COLUMN v_world.place IS 'What the service called the place of the earthquake nearest to the centre; NULL where none lies within 100 km';
COMMENT ON COLUMN v_world.latitude_deg IS 'Of the centre, degrees north';
COMMENT ON COLUMN v_world.longitude_deg IS 'Of the centre, degrees east';
COMMENT ON COLUMN v_world.probability IS 'Of at least one such earthquake within radius_km of the centre; circles of neighbours overlap, so never add them up';
COMMENT ON COLUMN v_world.usual_probability IS 'What is usual for such a window, from the last ten years';
COMMENT ON COLUMN v_world.ratio IS 'probability / usual_probability';
COMMENT ON COLUMN v_world.newest IS 'Whether it is the last issue that was stored';
COMMENT ON COLUMN v_world.mode IS 'prospective or replay; never mix them';
COMMENT ON COLUMN v_world.target_start IS 'Start of the window';
COMMENT ON COLUMN v_world.target_end IS 'End of the window, itself outside';
COMMENT ON COLUMN v_world.radius_km IS 'Of the circle about the centre that is forecast';
COMMENT ON COLUMN v_world.area_km2 IS 'Of the cell, not of the circle';
COMMENT ON COLUMN v_world.issue_time IS 'When it was made';
COMMENT ON COLUMN v_world.as_of IS 'From what was known then';
COMMENT ON COLUMN v_world.issue IS 'Number of the issue, as in world_map and world_score';
