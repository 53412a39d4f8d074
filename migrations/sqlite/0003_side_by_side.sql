-- Up to which older schema version a doorward may be that goes on working on this one.
alter table migrations add column runs_with integer not null default 1;

-- Its row is held by whoever decides about administrators.
insert into counters (name, value) values ('administrators', 0);
