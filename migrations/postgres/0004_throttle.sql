-- Where somebody signed in from lately: there, strangers elsewhere do not lock them out.
create table known_networks (
    user_id bytea not null references users (id) on delete cascade,
    network bytea not null,
    at bigint not null,
    primary key (user_id, network)
);

create index known_networks_at on known_networks (at);

-- How long until what all servers counted under a key is forgotten.
create table failures (
    key bytea primary key,
    due bigint not null
);

create index failures_due on failures (due);
