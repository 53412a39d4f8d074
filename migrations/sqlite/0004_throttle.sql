-- Where somebody signed in from lately: there, strangers elsewhere do not lock them out.
create table known_networks (
    user_id blob not null references users (id) on delete cascade,
    network blob not null,
    at integer not null,
    primary key (user_id, network)
) strict, without rowid;

create index known_networks_at on known_networks (at);

-- How long until what all servers counted under a key is forgotten.
create table failures (
    key blob primary key,
    due integer not null
) strict, without rowid;

create index failures_due on failures (due);
