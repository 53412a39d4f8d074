-- What was done and refused: each row's hash covers the row and the hash before it. Rows are only ever added, but for
-- the oldest, which retention takes away. `audit_events` stays for the version before this one.
create table audit_log (
    seq integer primary key,
    at integer not null,
    action text not null,
    result text not null,
    reason text,
    actor blob,
    credential text not null,
    credential_id blob,
    subject text,
    subject_id blob,
    user_id blob,
    detail text,
    address text,
    user_agent text,
    via text not null,
    times integer not null,
    hash blob not null
) strict;

create index audit_log_user on audit_log (user_id, seq) where user_id is not null;
create index audit_log_actor on audit_log (actor, seq) where actor is not null;

-- `head` is the newest row, held by whoever adds one until the commit; `tail` the last one that retention took away.
create table audit_chain (
    name text primary key,
    seq integer not null,
    hash blob not null
) strict, without rowid;

insert into audit_chain (name, seq, hash) values ('head', 0, zeroblob(32)), ('tail', 0, zeroblob(32));
