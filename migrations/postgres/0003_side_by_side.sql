-- Its row is held by whoever decides about administrators.
insert into counters (name, value) values ('administrators', 0);
