-- Stored names in the words of the field: an outcome is revised, an alert expires, a problem is resolved. No forecast changes.
-- `outcome_turn` answers for one more release, as a view.
ALTER TABLE outcome RENAME turned_at TO revised_at;
ALTER TABLE outcome_turn RENAME TO outcome_revision;
CREATE VIEW outcome_turn AS SELECT * FROM outcome_revision;

UPDATE alert SET cleared_reason = CASE cleared_reason WHEN 'lapsed' THEN 'expired' WHEN 'mended' THEN 'resolved' END
WHERE cleared_reason IN ('lapsed', 'mended');
UPDATE alert SET outcomes = replace(outcomes::VARCHAR, '"turns":', '"revisions":') WHERE outcomes IS NOT NULL;

CREATE OR REPLACE VIEW v_revision_impact AS
    WITH revision AS (
        SELECT recipe_id, target_start, target_hash, NOT happened AS happened_before, happened AS happened_after, status_before,
               status AS status_after, as_of_before, as_of AS as_of_after
        FROM outcome_revision
        UNION ALL
        SELECT recipe_id, target_start, target_hash, NULL, happened, NULL, status, NULL, as_of
        FROM outcome o WHERE changed AND NOT EXISTS (
            SELECT 1 FROM outcome_revision r
            WHERE r.recipe_id = o.recipe_id AND r.target_start = o.target_start AND r.target_hash = o.target_hash)
    ), placed AS (
        SELECT revision.*, o.target_end, t.display_name->>'en' AS place, t.latitude_deg, t.longitude_deg, t.radius_km, t.threshold_mag, t.time_zone
        FROM revision JOIN outcome o USING (recipe_id, target_start, target_hash) LEFT JOIN target t USING (recipe_id, target_hash)
    ), merged AS (
        SELECT from_key, last(to_key ORDER BY known_at, rowid) AS to_key FROM event_merge GROUP BY from_key
    ), version AS (
        SELECT v.* REPLACE (coalesce(m.to_key, v.event_key) AS event_key)
        FROM event_versions(TIMESTAMPTZ '9999-12-31 00:00:00+00') v LEFT JOIN merged m ON m.from_key = v.event_key
        WHERE v.event_type = 'earthquake' AND v.magnitude IS NOT NULL
    ), near AS (
        SELECT p.recipe_id, p.target_start, p.target_hash, p.as_of_before, p.as_of_after, v.*,
               2 * 6371.0088 * asin(sqrt(least(1, sin(radians(v.latitude_deg - p.latitude_deg) / 2) ** 2
                   + cos(radians(p.latitude_deg)) * cos(radians(v.latitude_deg)) * sin(radians(v.longitude_deg - p.longitude_deg) / 2) ** 2
               ))) AS distance_km,
               coalesce(v.origin_time >= p.target_start AND v.origin_time < p.target_end AND v.magnitude >= p.threshold_mag
                   AND distance_km <= p.radius_km, false) AS counted
        FROM placed p JOIN version v
            ON v.origin_time >= p.target_start - INTERVAL 1 DAY AND v.origin_time < p.target_end + INTERVAL 1 DAY
    ), version_before AS (
        SELECT * FROM near WHERE believed_from <= as_of_before AND (believed_until IS NULL OR as_of_before < believed_until)
    ), version_after AS (
        SELECT * FROM near WHERE believed_from <= as_of_after AND (believed_until IS NULL OR as_of_after < believed_until)
    ), differing AS (
        SELECT recipe_id, target_start, target_hash, as_of_after, event_key,
               w.event_id AS event_id_before, b.event_id AS event_id_after, coalesce(b.place, w.place) AS event_place,
               coalesce(w.counted, false) AS counted_before, coalesce(b.counted, false) AS counted_after,
               w.magnitude AS magnitude_before, b.magnitude AS magnitude_after,
               w.distance_km AS distance_km_before, b.distance_km AS distance_km_after,
               w.origin_time AS origin_time_before, b.origin_time AS origin_time_after, b.known_at
        FROM (SELECT * FROM version_before WHERE as_of_before IS NOT NULL) w
        FULL JOIN (SELECT * FROM version_after WHERE as_of_before IS NOT NULL) b
            USING (recipe_id, target_start, target_hash, as_of_after, event_key)
        WHERE coalesce(w.counted, false) <> coalesce(b.counted, false)
    )
    SELECT p.recipe_id, p.place, (p.target_start AT TIME ZONE p.time_zone)::DATE AS local_day, p.happened_before, p.happened_after,
           p.status_before, p.status_after, p.as_of_before, p.as_of_after,
           (epoch(p.as_of_after) - epoch(p.target_end)) / 86400 AS days_after,
           coalesce(d.event_id_after, d.event_id_before) AS event_id, d.event_place,
           CASE WHEN d.event_key IS NULL THEN NULL
                WHEN d.magnitude_before IS NULL THEN 'became known'
                WHEN d.magnitude_after IS NULL THEN 'deleted'
                ELSE concat_ws(', ',
                    CASE WHEN (d.magnitude_before >= p.threshold_mag) <> (d.magnitude_after >= p.threshold_mag) THEN 'magnitude' END,
                    CASE WHEN (d.distance_km_before <= p.radius_km) <> (d.distance_km_after <= p.radius_km) THEN 'place' END,
                    CASE WHEN (d.origin_time_before >= p.target_start AND d.origin_time_before < p.target_end)
                        <> (d.origin_time_after >= p.target_start AND d.origin_time_after < p.target_end) THEN 'time' END)
           END AS what_changed,
           d.counted_before, d.counted_after, d.magnitude_before, d.magnitude_after, d.distance_km_before, d.distance_km_after,
           d.origin_time_before, d.origin_time_after, d.known_at, p.threshold_mag, p.radius_km, p.target_start, p.target_hash
    FROM placed p LEFT JOIN differing d USING (recipe_id, target_start, target_hash, as_of_after);

COMMENT ON VIEW v_revision_impact IS 'Every revised outcome, with the events that count now and did not before, or the other way; one row an event; one row without an event where none is known';
COMMENT ON COLUMN v_revision_impact.recipe_id IS 'The recipe';
COMMENT ON COLUMN v_revision_impact.place IS 'Name of the place, in English';
COMMENT ON COLUMN v_revision_impact.local_day IS 'The day, in the recipe''s own zone';
COMMENT ON COLUMN v_revision_impact.happened_before IS 'The outcome before';
COMMENT ON COLUMN v_revision_impact.happened_after IS 'The outcome after';
COMMENT ON COLUMN v_revision_impact.status_before IS 'preliminary, provisional or final: of the outcome before';
COMMENT ON COLUMN v_revision_impact.status_after IS 'The same after';
COMMENT ON COLUMN v_revision_impact.as_of_before IS 'The outcome before is of what was known then; NULL: revised before this was recorded';
COMMENT ON COLUMN v_revision_impact.as_of_after IS 'What was known then gave the new outcome';
COMMENT ON COLUMN v_revision_impact.days_after IS 'From the end of the window to as_of_after, days';
COMMENT ON COLUMN v_revision_impact.event_id IS 'The event that was revised';
COMMENT ON COLUMN v_revision_impact.event_place IS 'Where it was, in the service''s words';
COMMENT ON COLUMN v_revision_impact.what_changed IS 'magnitude, place, time (over the edge of the target); became known; deleted';
COMMENT ON COLUMN v_revision_impact.counted_before IS 'Whether it was a target earthquake as known before';
COMMENT ON COLUMN v_revision_impact.counted_after IS 'Whether it is one as known after';
COMMENT ON COLUMN v_revision_impact.magnitude_before IS 'NULL: not known before';
COMMENT ON COLUMN v_revision_impact.magnitude_after IS 'NULL: deleted, or no earthquake any more';
COMMENT ON COLUMN v_revision_impact.distance_km_before IS 'From the centre of the target, as known before';
COMMENT ON COLUMN v_revision_impact.distance_km_after IS 'The same after';
COMMENT ON COLUMN v_revision_impact.origin_time_before IS 'As known before';
COMMENT ON COLUMN v_revision_impact.origin_time_after IS 'As known after';
COMMENT ON COLUMN v_revision_impact.known_at IS 'When the new version became known';
COMMENT ON COLUMN v_revision_impact.threshold_mag IS 'Smallest magnitude that counts';
COMMENT ON COLUMN v_revision_impact.radius_km IS 'Of the target circle';
COMMENT ON COLUMN v_revision_impact.target_start IS 'Start of the window';
COMMENT ON COLUMN v_revision_impact.target_hash IS 'Of the target';

COMMENT ON VIEW outcome_turn IS 'Former name of outcome_revision, for one release';
COMMENT ON COLUMN outcome_turn.recipe_id IS 'The recipe';
COMMENT ON COLUMN outcome_turn.target_start IS 'Start of the window';
COMMENT ON COLUMN outcome_turn.target_hash IS 'Of the target';
COMMENT ON COLUMN outcome_turn.happened IS 'The revised outcome; before it was the opposite';
COMMENT ON COLUMN outcome_turn.status_before IS 'preliminary, provisional or final: of the outcome before';
COMMENT ON COLUMN outcome_turn.status IS 'Of the revised outcome';
COMMENT ON COLUMN outcome_turn.as_of_before IS 'What was known then gave the outcome before';
COMMENT ON COLUMN outcome_turn.as_of IS 'What was known then gave the revised outcome';

COMMENT ON COLUMN outcome_revision.happened IS 'The revised outcome; before it was the opposite';
COMMENT ON COLUMN outcome_revision.status IS 'Of the revised outcome';
COMMENT ON COLUMN outcome_revision.as_of IS 'What was known then gave the revised outcome';
COMMENT ON COLUMN alert.cleared_reason IS 'Why it ended. below: a forecast below the clearing threshold; expired: no forecast followed for the next window; gone: the rule or its target is gone; reissued, revised: withdrawn, by a new issue or by revised events; resolved: the problem of the operation is gone';
COMMENT ON COLUMN alert.outcomes IS 'Verified outcomes of its windows as they were first seen and after each revision: {target_start: {happened, revisions}}';
COMMENT ON COLUMN alert_correction.reason IS 'Why: revised or reissued, as in alert.cleared_reason';
COMMENT ON COLUMN outcome.as_of IS 'Verified from the catalogue as it was known then';
COMMENT ON COLUMN rung.beyond_record IS 'Larger than anything in the record of the circle: the magnitude law is extrapolated';
COMMENT ON COLUMN v_ladder.beyond_record IS 'Larger than anything in the record of the circle: the magnitude law is extrapolated';
COMMENT ON COLUMN score.log_score IS 'ln of the probability given to what was observed, nats';
COMMENT ON COLUMN v_scored.log_score IS 'ln of the probability given to what was observed, nats';
COMMENT ON COLUMN v_forecast.log_score IS 'ln of the probability given to what was observed, nats; NULL: not scored';
COMMENT ON COLUMN v_ladder.log_score IS 'ln of the probability given to what was observed, nats; NULL: not scored';
COMMENT ON TABLE coverage_read IS 'Every request that proved a span complete; coverage_as_of(t) joins those made by t';
COMMENT ON TABLE event_merge IS 'Ids that proved to belong to another event, or to be an event of their own, and when this became known; append-only';
COMMENT ON COLUMN event_merge.known_at IS 'When this became known';
COMMENT ON TABLE outcome IS 'Whether a target earthquake was observed: preliminary in the first day, provisional until 45 days after the window, then final';
COMMENT ON TABLE rung_outcome IS 'Outcome of each rung whose window has ended: preliminary in the first day, provisional until 45 days after it, then final';
COMMENT ON TABLE publication IS 'Decisions of a person on what is published; one row a decision, never rewritten. Without a row the combination is published';
COMMENT ON TABLE target IS 'The target of each recipe: at least one earthquake of this magnitude in this circle on a local day. One row a version of the target';
COMMENT ON TABLE walk_forward_fit IS 'Fits of walk-forward backfills and what each would have published, by comparison on the block before; apart from model and champion, so that no backfill changes what is published tomorrow';
COMMENT ON TABLE world_set IS 'Decisions on sets that were trained here on circles around the world, one row a decision, never rewritten. Without a row the sets of the package serve';
COMMENT ON VIEW recipe IS 'The present target of each recipe: place, radius, threshold. Earlier versions of a target are in the table target';
COMMENT ON VIEW v_ladder IS 'The ladder of every published forecast: one row a horizon and magnitude, with what was observed. Windows of several days overlap: their rows are not independent. Filter by mode, and by counts where a day is to count once';
COMMENT ON VIEW v_scored IS 'The scored forecasts that count, one a recipe, day, mode and kind of model; never one in sample. The published forecasts are there again as model_kind published';
