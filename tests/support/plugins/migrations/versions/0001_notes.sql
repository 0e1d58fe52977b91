create table notes (
  tenant_id integer not null default toolhost.tenant_id(),
  id        bigint generated always as identity,
  text      text not null,
  version   text not null,
  primary key (tenant_id, id)
);
-- Runs of the job: it holds its row while it runs.
create table runs (
  tenant_id integer not null default toolhost.tenant_id(),
  id        bigint generated always as identity,
  version   text not null,
  began     timestamptz not null default clock_timestamp(),
  ended     timestamptz,
  primary key (tenant_id, id)
);
