create table greetings (
  tenant_id  integer not null default toolhost.tenant_id(),
  name       text not null,
  language   text not null,
  greeted_at timestamptz not null default now(),
  primary key (tenant_id, name)
);
