-- What was done and refused: each row's hash covers the row and the hash before it. Rows are only ever added, but for
-- the oldest, which retention takes away. `audit_events` stays for the version before this one.
create table audit_log (
    seq bigint primary key,
    at bigint not null,
    action text not null,
    result text not null,
    reason text,
    actor bytea,
    credential text not null,
    credential_id bytea,
    subject text,
    subject_id bytea,
    user_id bytea,
    detail text,
    address text,
    user_agent text,
    via text not null,
    times bigint not null,
    hash bytea not null
);

create index audit_log_user on audit_log (user_id, seq) where user_id is not null;
create index audit_log_actor on audit_log (actor, seq) where actor is not null;

-- `head` is the newest row, held by whoever adds one until the commit; `tail` the last one that retention took away.
create table audit_chain (
    name text primary key,
    seq bigint not null,
    hash bytea not null
);

insert into audit_chain (name, seq, hash) values ('head', 0, decode(repeat('00', 32), 'hex')), ('tail', 0, decode(repeat('00', 32), 'hex'));
