-- A new kind of model is one entry in the code, and no migration: the comment names none.
COMMENT ON COLUMN model.kind IS 'Kind of model: as in the models of a recipe, or recent_rate; docs/MODEL_CARD.md says what each of them is';
