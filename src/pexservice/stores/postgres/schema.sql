-- One walk, ordered by a PostgreSQL server for any number of replicas.
--
-- The history is the state: a row a group, never updated, so where the walk stands is its newest row. A row that is
-- updated in place costs more with each writer, and any open snapshot slows it.
--
-- A writer sends one group at a time and numbers them from 1. Sent again, whatever became of the first call, a group
-- is found by its number and not taken twice. A server that lost what it acknowledged is refused, never corrected:
--   PX001  a writer's group is neither its last nor the one after it
--   PX002  the newest row is older than what the writer was already told
--   PX003  not read committed: the rows looked at might be older than the lock

CREATE SCHEMA pexservice;

CREATE TABLE pexservice.setup (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    version integer NOT NULL,
    machine text NOT NULL
);

CREATE TABLE pexservice.history (
    number bigint PRIMARY KEY CHECK (number > 0),
    sequence_before bigint NOT NULL,
    state_before text NOT NULL,
    sequence bigint NOT NULL,
    state text NOT NULL,
    commands text NOT NULL,
    writer uuid NOT NULL,
    writer_group bigint NOT NULL CHECK (writer_group > 0),
    committed timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (writer, writer_group)
);

-- Take the turn: after this, until the transaction ends, nobody else takes a group. Returns where the group begins,
-- or what became of it if it is already there.
CREATE FUNCTION pexservice.turn(
    his_writer uuid, his_group bigint, known bigint,
    OUT is_repeat boolean, OUT at_number bigint, OUT at_sequence bigint, OUT at_state text
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    last_group bigint;
    mine pexservice.history;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the isolation level must be read committed' USING ERRCODE = 'PX003';
    END IF;
    -- A statement of its own: what is read beside it, in a CTE say, would be read as of before the wait.
    PERFORM pg_advisory_xact_lock(7305);
    SELECT number, sequence, state INTO at_number, at_sequence, at_state
        FROM pexservice.history ORDER BY number DESC LIMIT 1;
    IF coalesce(at_number, 0) < known THEN
        RAISE EXCEPTION 'the newest group is %, and % was acknowledged', coalesce(at_number, 0), known
            USING ERRCODE = 'PX002';
    END IF;
    SELECT max(writer_group) INTO last_group FROM pexservice.history WHERE writer = his_writer;
    is_repeat := last_group IS NOT DISTINCT FROM his_group;
    IF is_repeat THEN
        SELECT * INTO mine FROM pexservice.history WHERE writer = his_writer AND writer_group = his_group;
        at_number := mine.number;
        at_sequence := mine.sequence_before;
        at_state := mine.state_before;
        -- It writes, so that the commit waits for the standby: the first call may not have waited to the end.
        PERFORM pg_logical_emit_message(true, 'pexservice', '');
    ELSIF coalesce(last_group, 0) <> his_group - 1 THEN
        RAISE EXCEPTION 'group % of the writer follows %', his_group, coalesce(last_group::text, 'none')
            USING ERRCODE = 'PX001';
    ELSE
        at_number := coalesce(at_number, 0) + 1;
    END IF;
END $$;

-- Take a group that folds to the clamp n -> max(n + shift, floor), in one call. A shift of null is minus
-- infinity: `greatest` leaves nulls out.
CREATE FUNCTION pexservice.take(
    his_writer uuid, his_group bigint, known bigint,
    initial text, shift numeric, floor numeric, taken bigint, commands text,
    OUT at_number bigint, OUT at_sequence bigint, OUT at_state text
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    is_repeat boolean;
BEGIN
    SELECT * INTO is_repeat, at_number, at_sequence, at_state FROM pexservice.turn(his_writer, his_group, known);
    at_sequence := coalesce(at_sequence, 0);
    at_state := coalesce(at_state, initial);
    IF NOT is_repeat THEN
        INSERT INTO pexservice.history VALUES (
            at_number, at_sequence, at_state, at_sequence + taken,
            greatest(at_state::numeric + shift, floor)::text, commands, his_writer, his_group
        );
    END IF;
END $$;
