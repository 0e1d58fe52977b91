-- The key portal: who signed in where, whose keys are whose, and what keys were used for.

-- A person is what an issuer calls one (OpenID Connect Core 1.0, section 5.7); an e-mail address may change hands.
create table people (
  person_id       bigint generated always as identity primary key,
  issuer          text not null check (length(issuer) between 1 and 500),
  subject         text not null check (length(subject) between 1 and 255),
  email           text not null check (length(email) between 3 and 320),
  email_verified  boolean not null,
  name            text not null check (length(name) <= 200),
  hosted_domain   text not null default '' check (length(hosted_domain) <= 253), -- Google's "hd"; empty: no workspace
  created_at      timestamptz not null default now(),
  last_sign_in_at timestamptz not null default now(),
  unique (issuer, subject)
);
grant select, insert, update (email, email_verified, name, hosted_domain, last_sign_in_at) on people to toolhost_app;

-- Of a session only the hash of its id is stored; the number is what its owner may see.
create table portal_sessions (
  id_hash      bytea primary key check (length(id_hash) = 32),
  number       bigint generated always as identity unique,
  person_id    bigint not null references people on delete cascade,
  created_at   timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  expires_at   timestamptz not null,
  user_agent   text not null check (length(user_agent) <= 300),
  address      text not null check (length(address) <= 100)
);
create index portal_sessions_of_person on portal_sessions (person_id);
grant select, insert, delete, update (last_seen_at) on portal_sessions to toolhost_app;

-- What works once (the state of a sign-in, a form that makes a key) and was used. Good until then, and not afterwards.
create table used_states (
  state_hash bytea primary key check (length(state_hash) = 32),
  expires_at timestamptz not null
);
create index used_states_by_end on used_states (expires_at);
grant select, insert, delete on used_states to toolhost_app;

-- Nobody's are the keys that the command line makes: their owner is an e-mail address only. Who made a key owns it for
-- good; what it is called may change, and with the person's address the owner.
alter table api_keys add column person_id bigint references people;
create index api_keys_of_person on api_keys (person_id) where person_id is not null;
grant update (name, owner) on api_keys to toolhost_app;
create function keep_owner() returns trigger language plpgsql as $$
begin
  if not exists (select from toolhost.people p where p.person_id = new.person_id and p.email = new.owner) then
    raise insufficient_privilege using message = 'the owner of a key is its person';
  end if;
  return new;
end
$$;
create trigger owner_is_the_person before update of owner on api_keys
  for each row when (old.owner <> new.owner) execute function keep_owner();
-- What keys may do hangs on it.
create trigger people_changed after update on people
  for each row when (old.email_verified <> new.email_verified) execute function announce_keys();

-- Calls by key, day (UTC) and tool.
create table key_days (
  key_id bigint not null references api_keys (key_id) on delete cascade,
  day    date not null,
  tool   text not null,
  calls  bigint not null,
  errors bigint not null,
  primary key (key_id, day, tool)
);
create index key_days_by_day on key_days (day);
grant select, insert, delete, update (calls, errors) on key_days to toolhost_app;

alter table people enable row level security, force row level security;
alter table portal_sessions enable row level security, force row level security;
alter table used_states enable row level security, force row level security;
alter table key_days enable row level security, force row level security;
create policy host_sees_people on people to toolhost_app using (true) with check (true);
create policy host_sees_sessions on portal_sessions to toolhost_app using (true) with check (true);
create policy host_sees_states on used_states to toolhost_app using (true) with check (true);
create policy host_sees_days on key_days to toolhost_app using (true) with check (true);

-- The last errors of one key.
create index audit_not_ok_of_key on audit (tenant_id, key_prefix, sequence) where outcome <> 'ok';
