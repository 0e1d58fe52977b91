-- What other plugins read of tickets, what imports remember, and one shape of request_keys for all helpdesk plugins.

-- The transaction that last changed anything of the ticket. Each message raises its ticket's version in the same transaction,
-- so the row of the ticket knows of its messages too. The default serves inserts and costs them nothing; the trigger every update.
alter table tickets add column changed bigint not null default pg_current_xact_id()::text::bigint;
create index tickets_by_change on tickets (tenant_id, changed, ref);
create function note_change() returns trigger language plpgsql as $$
begin
  new.changed := pg_current_xact_id()::text::bigint;
  return new;
end $$;
create trigger note_change before update on tickets for each row execute function note_change();

-- Of an imported duplicate it may be unknown what it repeats.
alter table tickets drop constraint tickets_check2,
  add constraint duplicates_are_resolved_so check (duplicate_of is null or resolution is not distinct from 'duplicate');

alter table request_keys rename column ticket to ref;
alter table request_keys rename column message to number;

-- Which ticket a row of imported data became; an import that runs again finds it here.
create table imports (
  tenant_id    integer not null default toolhost.tenant_id(),
  source       text not null,
  external_id  text not null check (char_length(external_id) between 1 and 200),
  ref          text collate "C" not null,
  duplicate_of text,                                  -- external id of the ticket that it repeats, until that one is here
  primary key (tenant_id, source, external_id)
);
create index imports_of_early_duplicates on imports (tenant_id, source, duplicate_of) where duplicate_of is not null;

-- Exported: what a search shows and finds. Of a thread that is too long for one document the newest messages stay.
create view search_documents as
select t.ref, 'ticket'::text as kind, t.title, t.description as body, t.tags,
       left((select string_agg(m.body, E'\n\n' order by m.number desc) from ticket_messages m
              where m.tenant_id = t.tenant_id and m.ticket = t.ref and m.visibility = 'public'), 200000) as messages,
       left((select string_agg(m.body, E'\n\n' order by m.number desc) from ticket_messages m
              where m.tenant_id = t.tenant_id and m.ticket = t.ref and m.visibility = 'internal'), 200000) as notes,
       t.status::text as status, t.priority::text as priority, t.category, t.assignee, t.requester,
       t.created_at, t.updated_at, t.due_at, false as deleted, t.changed
  from tickets t;

-- Exported: for whoever refers to a ticket.
create view ticket_titles as select ref, title, status::text as status from tickets;

-- A moment as data has it: 2026-11-23T13:05:09.123456Z.
create function utc(moment timestamptz) returns text language sql stable as $$
  select to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;
