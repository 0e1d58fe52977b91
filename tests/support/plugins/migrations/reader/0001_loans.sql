create table loans (
  tenant_id integer not null default toolhost.tenant_id(),
  id        integer not null,
  title     text not null,
  primary key (tenant_id, id)
);
create view titles as select id, title from loans;
-- So cheap that the planner would try it on every row before any other condition.
create function tell(text) returns boolean language plpgsql cost 0.0000001 as $$
begin
  raise exception 'the title %', $1;
end $$;
