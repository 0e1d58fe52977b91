-- Tickets, their messages and their history. Every primary key leads with the tenant; the host adds the row-level-security policy.

create type ticket_status as enum ('open', 'in_progress', 'waiting', 'resolved', 'closed');  -- unresolved: < 'resolved'
create type ticket_priority as enum ('low', 'normal', 'high', 'urgent');                     -- sorts as declared

create table tickets (
  tenant_id      integer not null default toolhost.tenant_id(),
  ref            text collate "C" not null check (ref ~ '^[0-9A-HJKMNP-TV-Z]{6}$'),  -- Crockford base32, random
  title          text not null check (char_length(title) between 1 and 200),
  description    text not null default '' check (char_length(description) <= 20000),
  status         ticket_status not null default 'open',
  waiting_on     text check (waiting_on in ('requester', 'third_party')),
  resolution     text check (resolution in ('fixed', 'workaround', 'duplicate', 'wont_fix', 'not_reproducible')),
  duplicate_of   text collate "C" check (duplicate_of <> ref),
  priority       ticket_priority not null default 'normal',
  category       text check (char_length(category) between 1 and 60),
  tags           text[] not null default '{}'
                   check (cardinality(tags) <= 20 and char_length(array_to_string(tags, '')) <= 1000),
  assignee       text check (char_length(assignee) between 1 and 200),
  requester      text not null check (char_length(requester) between 1 and 200),
  due_at         timestamptz check (due_at between '1999-12-30' and '2200-01-03'),
  created_at     timestamptz not null default now(),
  created_by     text not null,                       -- principal
  created_via    text not null,                       -- key prefix
  updated_at     timestamptz not null default now(),
  first_reply_at timestamptz,                         -- first public reply by somebody other than the requester
  resolved_at    timestamptz,                         -- null again after a reopen
  reopen_count   integer not null default 0,
  version        integer not null default 1,          -- grows by one with every change; one history step each
  title_key      bigint not null,                     -- hash of the title's significant words (text.hpp, title_key)
  primary key (tenant_id, ref),                       -- get_ticket, the target of every write
  foreign key (tenant_id, duplicate_of) references tickets (tenant_id, ref),
  check ((status = 'waiting') = (waiting_on is not null)),
  check ((resolution is not distinct from 'duplicate') = (duplicate_of is not null)),
  check (resolution is null or status >= 'resolved')
);
-- Each index costs every insert, so only these, measured with 100,000 tickets in one tenant:
-- the default of list_tickets, 20 of the unresolved ones; also the small set that its other filters and orders are answered from
create index tickets_unresolved on tickets (tenant_id, updated_at, ref) where status < 'resolved';
-- the orders of list_tickets that page through all tickets
create index tickets_by_update on tickets (tenant_id, updated_at, ref);
create index tickets_by_creation on tickets (tenant_id, created_at, ref);
-- possible duplicates: one probe of each create_ticket
create index tickets_unresolved_by_title on tickets (tenant_id, title_key) where status < 'resolved';

create table ticket_messages (
  tenant_id   integer not null default toolhost.tenant_id(),
  ticket      text collate "C" not null,
  number      integer not null,                       -- the ticket's version that this message made
  visibility  text not null check (visibility in ('public', 'internal')),
  body        text not null check (char_length(body) between 1 and 20000),
  author      text not null,
  author_role text not null check (author_role in ('requester', 'staff')),
  created_via text not null,
  created_at  timestamptz not null default now(),
  primary key (tenant_id, ticket, number),
  foreign key (tenant_id, ticket) references tickets (tenant_id, ref)
);

-- What changed, one row a field; append-only. No foreign key: history outlives its ticket, and the check would cost every insert.
create table ticket_history (
  tenant_id integer not null default toolhost.tenant_id(),
  ticket    text collate "C" not null,
  version   integer not null,
  field     text not null,                            -- a column of tickets, or 'created', 'reply', 'note'
  old_value text,
  new_value text,                                     -- of a reply or note: the message's number
  actor     text not null,
  via_key   text not null,
  at        timestamptz not null default now(),
  primary key (tenant_id, ticket, version, field)
);
create function refuse_change_of_history() returns trigger language plpgsql as $$
begin
  raise exception 'ticket_history is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger append_only before update or delete or truncate on ticket_history
  for each statement execute function refuse_change_of_history();

-- What a call with an idempotency_key did; kept for 24 hours.
create table request_keys (
  tenant_id    integer not null default toolhost.tenant_id(),
  principal    text not null,
  tool         text not null,
  key          text not null check (char_length(key) between 1 and 64),
  request_hash bytea not null,                        -- SHA-256 of the other arguments
  ticket       text collate "C",
  message      integer,
  created_at   timestamptz not null default now(),
  primary key (tenant_id, principal, tool, key)
);
create index request_keys_by_age on request_keys (tenant_id, created_at);  -- finds what is older than 24 hours

-- A moment as ISO 8601 in the tenant's own time with its offset: 2026-11-23T14:05:09+01:00.
create function local_time(moment timestamptz, zone text) returns text language sql stable as $$
  select to_char(moment at time zone zone, 'YYYY-MM-DD"T"HH24:MI:SS') ||
         case when moment at time zone zone < moment at time zone 'UTC' then '-' else '+' end ||
         to_char(greatest(moment at time zone zone, moment at time zone 'UTC') -
                 least(moment at time zone zone, moment at time zone 'UTC'), 'HH24:MI')
$$;
