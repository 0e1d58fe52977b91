-- What the hosts of an installation tell each other about sessions and streams, and what outlives them.

-- A host takes a number when it starts, and holds an advisory lock on it while it lives.
create table hosts (
  number     integer generated always as identity primary key,
  started_at timestamptz not null default now()
);
grant select, insert, delete on hosts to toolhost_app;

-- What became of calls whose answers are streams that clients may come back to: the answer, or that there is none. The
-- primary key decides: a call that finds itself lost cannot keep its answer, and so cannot commit. An answer is
-- remembered as given when its text is no longer kept.
create table kept_answers (
  stream     uuid primary key,
  tenant_id  integer references tenants (id) on delete cascade,
  key_id     bigint not null,
  state      text not null check (state in ('answered', 'lost')),
  message    text not null default '',
  kept_at    timestamptz not null default now(),
  expires_at timestamptz not null
);
create index kept_answers_of_key on kept_answers (key_id, kept_at);
create index kept_answers_by_end on kept_answers (expires_at);
create index kept_answers_of_tenant on kept_answers (tenant_id);
grant select, insert, delete, update (message) on kept_answers to toolhost_app;

-- Of a session only the hash of its id is stored.
create table ended_sessions (
  id_hash    bytea primary key check (length(id_hash) = 32),
  key_id     bigint not null,
  expires_at timestamptz not null
);
grant select, insert, delete on ended_sessions to toolhost_app;

-- Letters between hosts; whoever one is for takes it away.
create table host_messages (
  id         bigint generated always as identity primary key,
  host       integer not null,
  message    text not null,
  created_at timestamptz not null default now()
);
create index host_messages_of_host on host_messages (host, id);
grant select, insert, delete on host_messages to toolhost_app;

alter table hosts enable row level security, force row level security;
alter table kept_answers enable row level security, force row level security;
alter table ended_sessions enable row level security, force row level security;
alter table host_messages enable row level security, force row level security;
create policy host_sees_hosts on hosts to toolhost_app using (true) with check (true);
create policy host_sees_answers on kept_answers to toolhost_app using (true) with check (true);
create policy host_sees_ended on ended_sessions to toolhost_app using (true) with check (true);
create policy host_sees_messages on host_messages to toolhost_app using (true) with check (true);
create policy owner_keeps on kept_answers for insert to toolhost_owner with check (tenant_id = toolhost.tenant_id());
create policy owner_uses on used_states for insert to toolhost_owner with check (true);

-- For the transactions of plugins, which see neither table. Each raises unique_violation when the row is there.
create function keep_answer(stream uuid, key bigint, expires bigint, message text) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into toolhost.kept_answers (stream, tenant_id, key_id, state, message, expires_at)
  values (stream, toolhost.tenant_id(), key, 'answered', message, to_timestamp(expires))
$$;
create function use_state(state bytea, expires bigint) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into toolhost.used_states (state_hash, expires_at) values (state, to_timestamp(expires))
$$;
