create table items (
  tenant_id integer not null default toolhost.tenant_id(),
  id        bigint generated always as identity,
  text      text not null,
  digested  bigint,
  primary key (tenant_id, id)
);
-- What ran, in the order in which it ran.
create table runs (
  tenant_id integer not null default toolhost.tenant_id(),
  id        bigint generated always as identity,
  job       text not null,
  caller    text not null,
  primary key (tenant_id, id)
);
