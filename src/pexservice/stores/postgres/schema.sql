-- One walk, ordered by a PostgreSQL server for any number of replicas.
--
-- The history is the state: a row a group, never updated, so where the machine stands is its newest row. A row that is
-- updated in place costs more with each writer, and any open snapshot slows it.
--
-- A writer is one life of one replica. It sends one group at a time and numbers them from 1; with number 0 it enters.
-- Sent again, whatever became of the first call, a group is found by its number and not taken twice. A server that lost
-- what it acknowledged is refused, never corrected:
--   PX001  a writer's group is neither its last nor the one after it
--   PX002  the newest row is older than what the writer was already told
--   PX003  not read committed: the rows looked at might be older than the lock

CREATE SCHEMA pexservice;

CREATE TABLE pexservice.setup (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    version integer NOT NULL,
    machine text NOT NULL,
    key_secret bytea NOT NULL,
    is_one_server boolean NOT NULL,
    forgotten bigint NOT NULL DEFAULT 0
);
COMMENT ON COLUMN pexservice.setup.key_secret IS 'What Idempotency-Keys are digested with.';
COMMENT ON COLUMN pexservice.setup.is_one_server IS 'The operator says that no standby is waited for.';
COMMENT ON COLUMN pexservice.setup.forgotten IS 'Rows of the history up to this number may be gone.';

CREATE TABLE pexservice.history (
    number bigint PRIMARY KEY CHECK (number > 0),
    sequence_before bigint NOT NULL,
    state_before text NOT NULL,
    sequence bigint NOT NULL CHECK (sequence >= sequence_before),
    state text NOT NULL,
    commands text NOT NULL,
    outcome text,
    writer uuid NOT NULL,
    writer_group bigint NOT NULL CHECK (writer_group >= 0),
    committed timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (writer, writer_group)
);
COMMENT ON COLUMN pexservice.history.outcome IS 'What became of commands with terms; none of most groups.';

CREATE TABLE pexservice.keys (
    digest text PRIMARY KEY,
    time_s bigint NOT NULL,
    sequence bigint NOT NULL UNIQUE,
    command text NOT NULL,
    state text NOT NULL
);

-- The writers that live, as they say themselves once a day. The history does not tell it: who only reads writes no row.
CREATE TABLE pexservice.writers (
    writer uuid PRIMARY KEY,
    seen timestamptz NOT NULL
);

-- Take the turn: after this, until the transaction ends, nobody else takes a group. Returns where the group begins,
-- or what became of it if it is already there; and what is known of the keys asked for.
CREATE FUNCTION pexservice.turn(
    his_writer uuid, his_group bigint, known bigint, asked text[],
    OUT is_repeat boolean, OUT at_number bigint, OUT at_sequence bigint, OUT at_state text, OUT at_outcome text,
    OUT at_time_s bigint, OUT seen text
) LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS $$
DECLARE
    last_group bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the isolation level must be read committed' USING ERRCODE = 'PX003';
    END IF;
    -- A statement of its own: what is read beside it, in a CTE say, would be read as of before the wait.
    PERFORM pg_advisory_xact_lock(7305, 0);
    SELECT number, sequence, state INTO STRICT at_number, at_sequence, at_state
        FROM pexservice.history ORDER BY number DESC LIMIT 1;
    IF at_number < known THEN
        RAISE EXCEPTION 'the newest group is %, and % was acknowledged', at_number, known USING ERRCODE = 'PX002';
    END IF;
    SELECT writer_group INTO last_group
        FROM pexservice.history WHERE writer = his_writer ORDER BY writer_group DESC LIMIT 1;
    is_repeat := last_group IS NOT DISTINCT FROM his_group;
    IF is_repeat THEN
        SELECT number, sequence_before, state_before, outcome INTO at_number, at_sequence, at_state, at_outcome
            FROM pexservice.history WHERE writer = his_writer AND writer_group = his_group;
        -- It writes, so that the commit waits for the standby: the first call may not have waited to the end.
        PERFORM pg_logical_emit_message(true, 'pexservice', '');
    ELSIF coalesce(last_group, -1) <> his_group - 1 THEN
        RAISE EXCEPTION 'group % of the writer follows %', his_group,
            coalesce(last_group::text, 'none, as if it was away for a week') USING ERRCODE = 'PX001';
    ELSE
        at_number := at_number + 1;
        at_time_s := extract(epoch FROM clock_timestamp());
        IF cardinality(asked) > 0 THEN
            SELECT json_agg(json_build_array(digest, time_s, sequence, command, state)) INTO seen
                FROM pexservice.keys WHERE digest = ANY (asked);
        END IF;
    END IF;
END $$;

-- Enter as a writer: with a row of no commands, of group 0.
CREATE FUNCTION pexservice.enter(
    his_writer uuid, OUT at_number bigint, OUT at_sequence bigint, OUT at_state text, OUT key_secret bytea
) LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS $$
DECLARE
    turn record;
BEGIN
    SELECT * INTO turn FROM pexservice.turn(his_writer, 0, 0, '{}');
    at_number := turn.at_number;
    at_sequence := turn.at_sequence;
    at_state := turn.at_state;
    SELECT setup.key_secret INTO STRICT key_secret FROM pexservice.setup;
    IF NOT turn.is_repeat THEN
        INSERT INTO pexservice.history
            VALUES (at_number, at_sequence, at_state, at_sequence, at_state, '', NULL, his_writer, 0);
    END IF;
END $$;

-- Take a group that folds to the clamp n -> max(n + shift, floor), in one call. A shift of null is minus
-- infinity: `greatest` leaves nulls out.
CREATE FUNCTION pexservice.take(
    his_writer uuid, his_group bigint, known bigint, shift numeric, floor numeric, taken bigint, commands text,
    OUT at_number bigint, OUT at_sequence bigint, OUT at_state text
) LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS $$
DECLARE
    turn record;
BEGIN
    SELECT * INTO turn FROM pexservice.turn(his_writer, his_group, known, '{}');
    at_number := turn.at_number;
    at_sequence := turn.at_sequence;
    at_state := turn.at_state;
    IF NOT turn.is_repeat THEN
        INSERT INTO pexservice.history VALUES (
            at_number, at_sequence, at_state, at_sequence + taken,
            greatest(at_state::numeric + shift, floor)::text, commands, NULL, his_writer, his_group
        );
    END IF;
END $$;

-- Write a group that was judged in its turn, with its keys: of each its digest, sequence, command and state.
CREATE FUNCTION pexservice.append(
    at_number bigint, at_sequence bigint, at_state text, end_sequence bigint, end_state text, commands text,
    outcome text, his_writer uuid, his_group bigint,
    time_s bigint, digests text[], sequences bigint[], key_commands text[], states text[]
) RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO pexservice.history VALUES (
        at_number, at_sequence, at_state, end_sequence, end_state, commands, outcome, his_writer, his_group
    );
    IF cardinality(digests) > 0 THEN
        -- A key that is there already was too old to count.
        INSERT INTO pexservice.keys AS old
            SELECT fresh.digest, append.time_s, fresh.sequence, fresh.command, fresh.state
            FROM unnest(digests, sequences, key_commands, states) AS fresh (digest, sequence, command, state)
            ON CONFLICT (digest) DO UPDATE SET
                time_s = excluded.time_s, sequence = excluded.sequence,
                command = excluded.command, state = excluded.state;
    END IF;
END $$;

-- Return the newest place. It writes, so that its commit waits for the standby: what is seen here may not be there yet,
-- and a server that was cut off from it does not answer.
CREATE FUNCTION pexservice.look(known bigint, OUT at_number bigint, OUT at_sequence bigint, OUT at_state text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS $$
BEGIN
    SELECT number, sequence, state INTO STRICT at_number, at_sequence, at_state
        FROM pexservice.history ORDER BY number DESC LIMIT 1;
    IF at_number < known THEN
        RAISE EXCEPTION 'the newest group is %, and % was acknowledged', at_number, known USING ERRCODE = 'PX002';
    END IF;
    PERFORM pg_logical_emit_message(true, 'pexservice', '');
END $$;

-- Remove the oldest rows and keys, so many of each at the most, and tell how many. The last row of a writer stays until
-- it was not seen for a week, since with it goes what tells its last group from a new one. Who asks is seen by that.
CREATE FUNCTION pexservice.forget(
    his_writer uuid, rows_max bigint, keys_max bigint, keys_ttl_s bigint, at_once integer,
    OUT rows_gone bigint, OUT keys_gone bigint
) LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS $$
DECLARE
    last_gone bigint;
BEGIN
    rows_gone := 0;
    keys_gone := 0;
    -- Asked first: a row that is only locked is a commit, too, which waits for the standby.
    IF NOT EXISTS (SELECT 1 FROM pexservice.writers
            WHERE writer = his_writer AND seen >= clock_timestamp() - interval '1 day') THEN
        INSERT INTO pexservice.writers VALUES (his_writer, clock_timestamp())
            ON CONFLICT (writer) DO UPDATE SET seen = excluded.seen;
    END IF;
    IF pg_try_advisory_xact_lock(7305, 1) THEN  -- Else another replica is at it.
        DELETE FROM pexservice.writers WHERE seen < clock_timestamp() - interval '7 days';
        IF rows_max > 0 THEN
            WITH gone AS (DELETE FROM pexservice.history WHERE number IN (
                SELECT old.number FROM pexservice.history old
                WHERE old.number <= (SELECT max(number) FROM pexservice.history) - rows_max
                    AND (EXISTS (
                            SELECT 1 FROM pexservice.history later
                            WHERE later.writer = old.writer AND later.writer_group > old.writer_group)
                        OR old.committed < clock_timestamp() - interval '7 days' AND NOT EXISTS (
                            SELECT 1 FROM pexservice.writers WHERE writers.writer = old.writer))
                ORDER BY old.number LIMIT at_once) RETURNING number)
            SELECT count(*), max(number) INTO rows_gone, last_gone FROM gone;
            IF rows_gone > 0 THEN
                UPDATE pexservice.setup SET forgotten = greatest(forgotten, last_gone);
            END IF;
        END IF;
        -- By sequence: one that is used again meanwhile has another, and stays. Its digest is as it was.
        DELETE FROM pexservice.keys WHERE sequence IN (
            SELECT old.sequence FROM pexservice.keys old
            WHERE old.time_s + keys_ttl_s <= extract(epoch FROM clock_timestamp()) OR old.sequence <
                (SELECT sequence FROM pexservice.keys ORDER BY sequence DESC OFFSET keys_max - 1 LIMIT 1)
            ORDER BY old.sequence LIMIT at_once);
        GET DIAGNOSTICS keys_gone = ROW_COUNT;
    END IF;
END $$;
