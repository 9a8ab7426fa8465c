"""The tables of the crosswalk. `customers` and `history` only grow; `records` holds each system's latest word."""

from __future__ import annotations

SCHEMA = """
create table if not exists customers (
    id text primary key,
    version integer not null default 1,
    created_at integer not null, -- milliseconds
    merged_into text references customers (id),
    -- the directory: copies to find and order by, never shown
    name text not null default '', all_names text not null default '',
    segment text not null default '', owner_id text not null default '', owner_name text not null default '',
    status text not null default '', overdue integer not null default 0
);
create index if not exists customers_by_name on customers (name, id) where merged_into is null;
create index if not exists customers_by_alias on customers (merged_into) where merged_into is not null;

-- whose records all systems have deleted
create table if not exists gone_customers (id text primary key references customers (id)) without rowid;

-- the directory again, as it is for callers who don't see some systems: `view` lists those
create table if not exists directory_views (view text primary key) without rowid;
create table if not exists confined_directory (
    view text not null references directory_views (view), id text not null references customers (id),
    created_at integer not null, name text not null, all_names text not null, segment text not null, owner_id text not null,
    owner_name text not null, status text not null, overdue integer not null, primary key (view, id)
) without rowid;
create index if not exists confined_directory_by_name on confined_directory (view, name, id);
-- what confines callers to customers, see bounds.py: copies too
create table if not exists customer_facets (
    customer_id text not null references customers (id), facet text not null, value text not null,
    primary key (facet, value, customer_id)
) without rowid;
create index if not exists customer_facets_by_customer on customer_facets (customer_id);

create table if not exists records (
    system text not null, external_id text not null,
    customer_id text references customers (id),
    rule text, score real, linked_at real,
    reference text, tax_id text, domain text, name text,
    plain_reference text, plain_tax_id text, plain_domain text, plain_name text,
    version text, facets text not null,
    hold_reason text, suggestions text not null default '[]',
    first_seen real not null, last_seen real not null,
    primary key (system, external_id)
) without rowid;
create index if not exists records_by_customer on records (customer_id);
create index if not exists records_by_reference on records (plain_reference) where plain_reference is not null;
create index if not exists records_by_tax_id on records (plain_tax_id) where plain_tax_id is not null;
create index if not exists records_by_domain on records (plain_domain) where plain_domain is not null;
create index if not exists records_by_name on records (plain_name) where plain_name is not null;
create index if not exists records_on_hold on records (system, external_id) where hold_reason is not null;

-- who belongs to whom, as each system says; one that keeps no hierarchy has no rows: it says nothing, which is no difference
create table if not exists parents (
    system text not null, external_id text not null,
    parent text not null, -- the external id that the record belongs to; empty: to none
    primary key (system, external_id)
) without rowid;
create index if not exists parents_by_parent on parents (system, parent);

create table if not exists name_words (
    word text not null, system text not null, external_id text not null, primary key (word, system, external_id)
) without rowid;
create index if not exists name_words_by_record on name_words (system, external_id);

create table if not exists history (
    number integer primary key autoincrement,
    customer_id text not null references customers (id),
    kind text not null, at real not null,
    system text, external_id text, other_customer_id text, rule text, reason text, write_key text
);
create index if not exists history_by_customer on history (customer_id, number);
create index if not exists history_of_gone on history (system, external_id) where kind = 'GONE';
create index if not exists history_by_write on history (write_key) where write_key is not null;
"""
