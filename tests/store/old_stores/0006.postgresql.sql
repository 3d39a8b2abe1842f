--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: accounts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.accounts (
    backend character varying(100) NOT NULL,
    id character varying(36) NOT NULL,
    email character varying(1024) NOT NULL,
    folded character varying(1024) NOT NULL,
    full_name text NOT NULL,
    biography text,
    tz text,
    created_at double precision NOT NULL
);


--
-- Name: admin_sessions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.admin_sessions (
    digest character varying(64) NOT NULL,
    admin character varying(100) NOT NULL,
    form_token character varying(64) NOT NULL,
    created_at double precision NOT NULL,
    seen_at double precision NOT NULL,
    notice text
);


--
-- Name: admins; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.admins (
    name character varying(100) NOT NULL,
    password_hash text NOT NULL,
    created_at double precision NOT NULL,
    changed_at double precision NOT NULL
);


--
-- Name: alembic_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);


--
-- Name: attempts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.attempts (
    id bigint NOT NULL,
    subscription_id character varying(120) NOT NULL,
    delivery_id character varying(40) NOT NULL,
    serial bigint NOT NULL,
    event_count integer NOT NULL,
    person_id character varying(1024) NOT NULL,
    at double precision NOT NULL,
    seconds double precision NOT NULL,
    is_ok boolean NOT NULL,
    status integer,
    error text,
    response text
);


--
-- Name: attempts_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.attempts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: attempts_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.attempts_id_seq OWNED BY public.attempts.id;


--
-- Name: audit_log; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.audit_log (
    id bigint NOT NULL,
    at double precision NOT NULL,
    action character varying(100) NOT NULL,
    subject character varying(1200) NOT NULL,
    actor character varying(200),
    details text NOT NULL
);


--
-- Name: audit_log_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.audit_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: audit_log_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.audit_log_id_seq OWNED BY public.audit_log.id;


--
-- Name: bound_resources; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.bound_resources (
    id bigint NOT NULL,
    digest character varying(64) NOT NULL,
    kind character varying(10) NOT NULL,
    backend character varying(100),
    serial bigint NOT NULL,
    change bigint NOT NULL
);


--
-- Name: bound_resources_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.bound_resources_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: bound_resources_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.bound_resources_id_seq OWNED BY public.bound_resources.id;


--
-- Name: deliveries; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.deliveries (
    id bigint NOT NULL,
    subscription_id character varying(120) NOT NULL,
    serial bigint NOT NULL,
    lane character varying(1200) NOT NULL,
    event_id character varying(40) NOT NULL,
    event_type character varying(40) NOT NULL,
    backend character varying(100) NOT NULL,
    person_id character varying(1024) NOT NULL,
    state character varying(10) NOT NULL,
    attempts integer NOT NULL,
    next_at double precision,
    error text,
    status integer,
    created_at double precision NOT NULL,
    changed_at double precision NOT NULL
);


--
-- Name: deliveries_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.deliveries_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: deliveries_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.deliveries_id_seq OWNED BY public.deliveries.id;


--
-- Name: events; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.events (
    serial bigint NOT NULL,
    id character varying(40) NOT NULL,
    type character varying(40) NOT NULL,
    backend character varying(100) NOT NULL,
    person_id character varying(1024) NOT NULL,
    group_name text,
    noticed_at double precision NOT NULL,
    origin character varying(120),
    groups text NOT NULL,
    body text NOT NULL
);


--
-- Name: failed_logins; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.failed_logins (
    mount character varying(100) NOT NULL,
    username character varying(1024) NOT NULL,
    caller character varying(64) NOT NULL,
    password_mac character varying(64) NOT NULL,
    failed_at double precision NOT NULL
);


--
-- Name: frontend_tokens; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.frontend_tokens (
    mount character varying(100) NOT NULL,
    digest character varying(64) NOT NULL,
    created_at double precision NOT NULL
);


--
-- Name: group_identities; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.group_identities (
    mount character varying(100) NOT NULL,
    group_id character varying(120) NOT NULL,
    folded character varying(120) NOT NULL,
    backend character varying(100) NOT NULL,
    name character varying(1024) NOT NULL
);


--
-- Name: held_changes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.held_changes (
    run_id bigint NOT NULL,
    number integer NOT NULL,
    person_id character varying(1024) NOT NULL,
    kind character varying(10) NOT NULL,
    digest bytea,
    document text
);


--
-- Name: held_runs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.held_runs (
    id bigint NOT NULL,
    backend character varying(100) NOT NULL,
    state character varying(10) NOT NULL,
    reason text NOT NULL,
    digest character varying(64) NOT NULL,
    start_serial bigint NOT NULL,
    first_at double precision NOT NULL,
    last_at double precision NOT NULL,
    counts text NOT NULL,
    fingerprint character varying(64) NOT NULL,
    feed_position text
);


--
-- Name: held_runs_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.held_runs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: held_runs_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.held_runs_id_seq OWNED BY public.held_runs.id;


--
-- Name: hourly_counts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.hourly_counts (
    frontend character varying(100) NOT NULL,
    hour integer NOT NULL,
    what character varying(20) NOT NULL,
    number bigint NOT NULL,
    latest_at double precision NOT NULL
);


--
-- Name: index_generations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.index_generations (
    id bigint NOT NULL,
    backend character varying(100) NOT NULL,
    started_at double precision NOT NULL,
    completed_at double precision
);


--
-- Name: index_generations_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.index_generations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: index_generations_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.index_generations_id_seq OWNED BY public.index_generations.id;


--
-- Name: intents; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.intents (
    id bigint NOT NULL,
    backend character varying(100) NOT NULL,
    person_id character varying(1024),
    address character varying(1024),
    origin character varying(120) NOT NULL,
    created_at double precision NOT NULL
);


--
-- Name: intents_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.intents_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: intents_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.intents_id_seq OWNED BY public.intents.id;


--
-- Name: ips_connect_accounts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.ips_connect_accounts (
    backend character varying(100) NOT NULL,
    id bigint NOT NULL,
    name character varying(255) NOT NULL,
    folded_name character varying(1024) NOT NULL,
    email character varying(320) NOT NULL,
    folded_email character varying(1024) NOT NULL,
    full_name text,
    pass_hash character varying(255) NOT NULL,
    pass_salt character varying(255) NOT NULL,
    is_banned boolean NOT NULL,
    revalidate_url text NOT NULL,
    created_at double precision NOT NULL,
    changed_at double precision NOT NULL
);


--
-- Name: ips_connect_chains; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.ips_connect_chains (
    chain character varying(32) NOT NULL,
    step integer NOT NULL,
    ends_at double precision NOT NULL
);


--
-- Name: ips_connect_changes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.ips_connect_changes (
    backend character varying(100) NOT NULL,
    account bigint NOT NULL,
    number bigint NOT NULL
);


--
-- Name: ips_connect_counters; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.ips_connect_counters (
    backend character varying(100) NOT NULL,
    last_id bigint NOT NULL,
    last_change bigint NOT NULL
);


--
-- Name: ips_connect_gaps; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.ips_connect_gaps (
    backend character varying(100) NOT NULL,
    account bigint NOT NULL,
    is_banned boolean NOT NULL
);


--
-- Name: ips_connect_handed_over; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.ips_connect_handed_over (
    subscription character varying(100) NOT NULL,
    event character varying(100) NOT NULL
);


--
-- Name: ips_connect_keys; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.ips_connect_keys (
    backend character varying(100) NOT NULL,
    master_key character varying(255) NOT NULL
);


--
-- Name: ips_connect_links; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.ips_connect_links (
    backend character varying(100) NOT NULL,
    source character varying(100) NOT NULL,
    person_id character varying(1024) NOT NULL,
    account bigint NOT NULL,
    serial bigint DEFAULT 0 NOT NULL,
    name character varying(255) DEFAULT ''::character varying NOT NULL,
    email character varying(320) DEFAULT ''::character varying NOT NULL,
    is_held boolean DEFAULT false NOT NULL,
    is_gone boolean DEFAULT false NOT NULL,
    wanted character varying(320) DEFAULT ''::character varying NOT NULL
);


--
-- Name: ips_connect_masters; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.ips_connect_masters (
    backend character varying(100) NOT NULL,
    host character varying(255) NOT NULL,
    registration character varying(64) NOT NULL
);


--
-- Name: journal_state; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.journal_state (
    id integer NOT NULL,
    last_serial bigint NOT NULL,
    pruned_serial bigint NOT NULL,
    bound_changes bigint DEFAULT 0 NOT NULL
);


--
-- Name: kept_memberships; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.kept_memberships (
    backend character varying(100) NOT NULL,
    person_id character varying(1024) NOT NULL,
    group_backend character varying(100) NOT NULL,
    group_id character varying(1024) NOT NULL,
    is_member boolean NOT NULL,
    changed_at double precision NOT NULL
);


--
-- Name: leases; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.leases (
    name character varying(200) NOT NULL,
    owner character varying(100) NOT NULL,
    fence bigint NOT NULL,
    until double precision NOT NULL
);


--
-- Name: name_index; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.name_index (
    generation bigint NOT NULL,
    username character varying(1024) NOT NULL,
    entry_id text NOT NULL
);


--
-- Name: name_lists; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.name_lists (
    id bigint NOT NULL,
    mount character varying(100) NOT NULL,
    state character varying(10) NOT NULL,
    first_at double precision NOT NULL,
    last_at double precision NOT NULL,
    name_count integer NOT NULL,
    digest character varying(64) NOT NULL,
    names bytea NOT NULL,
    owners text NOT NULL,
    left_out bytea NOT NULL,
    missing_count integer NOT NULL,
    reason text NOT NULL
);


--
-- Name: name_lists_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.name_lists_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: name_lists_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.name_lists_id_seq OWNED BY public.name_lists.id;


--
-- Name: open_batches; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.open_batches (
    id character varying(40) NOT NULL,
    subscription_id character varying(120) NOT NULL,
    serials text NOT NULL,
    is_settled boolean NOT NULL,
    created_at double precision NOT NULL
);


--
-- Name: people; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.people (
    key bigint NOT NULL,
    backend character varying(100) NOT NULL,
    person_id character varying(1024) NOT NULL,
    digest bytea NOT NULL,
    document text NOT NULL,
    serial bigint NOT NULL,
    gone_at double precision
);


--
-- Name: people_key_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.people_key_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: people_key_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.people_key_seq OWNED BY public.people.key;


--
-- Name: plugin_tables; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.plugin_tables (
    name character varying(60) NOT NULL,
    steps integer NOT NULL
);


--
-- Name: profile_identities; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.profile_identities (
    profile_id character varying(22) NOT NULL,
    backend character varying(100) NOT NULL,
    person_id character varying(1024) NOT NULL
);


--
-- Name: push_agents; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.push_agents (
    mount character varying(100) NOT NULL,
    uaid character varying(32) NOT NULL,
    kick text,
    seen_at double precision NOT NULL,
    in_flight_until double precision NOT NULL
);


--
-- Name: push_channels; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.push_channels (
    mount character varying(100) NOT NULL,
    endpoint character varying(22) NOT NULL,
    uaid character varying(32) NOT NULL,
    channel character varying(36) NOT NULL,
    version bigint,
    sent bigint,
    acknowledged bigint,
    change bigint NOT NULL,
    changed_at double precision NOT NULL,
    removed_at double precision,
    binding character varying(100)
);


--
-- Name: push_mounts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.push_mounts (
    mount character varying(100) NOT NULL,
    endpoint_key character varying(64) NOT NULL,
    last_change bigint NOT NULL
);


--
-- Name: push_upstream_agents; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.push_upstream_agents (
    mount character varying(100) NOT NULL,
    uaid character varying(32) NOT NULL,
    upstream_uaid character varying(32) NOT NULL,
    linked_at double precision NOT NULL
);


--
-- Name: push_upstream_channels; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.push_upstream_channels (
    mount character varying(100) NOT NULL,
    uaid character varying(32) NOT NULL,
    channel character varying(36) NOT NULL,
    endpoint text,
    errand character varying(10)
);


--
-- Name: subscriptions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.subscriptions (
    id character varying(120) NOT NULL,
    owner character varying(40) NOT NULL,
    uid character varying(200),
    type character varying(100) NOT NULL,
    resource text NOT NULL,
    events text NOT NULL,
    settings text NOT NULL,
    secrets text NOT NULL,
    batch_size integer NOT NULL,
    rate_per_second double precision,
    is_coalescing boolean NOT NULL,
    is_active boolean NOT NULL,
    state character varying(20) NOT NULL,
    state_reason text,
    created_at double precision NOT NULL,
    changed_at double precision NOT NULL,
    cursor bigint NOT NULL,
    replay_serial bigint,
    replay_key bigint,
    failing_since double precision,
    probes integer NOT NULL,
    next_probe_at double precision,
    epoch integer NOT NULL,
    bound_to bigint
);


--
-- Name: tokens; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.tokens (
    id character varying(40) NOT NULL,
    name character varying(200) NOT NULL,
    digest character varying(64) NOT NULL,
    scopes text NOT NULL,
    resources text NOT NULL,
    created_at double precision NOT NULL,
    expires_at double precision,
    revoked_at double precision,
    used_at double precision
);


--
-- Name: watches; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.watches (
    backend character varying(100) NOT NULL,
    baseline_at double precision,
    fingerprint character varying(64),
    feed_position text,
    scanned_at double precision,
    scan_seconds double precision,
    people_count integer NOT NULL,
    failed_at double precision,
    failure text,
    approved_at double precision,
    is_scan_wanted boolean NOT NULL
);


--
-- Name: attempts id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.attempts ALTER COLUMN id SET DEFAULT nextval('public.attempts_id_seq'::regclass);


--
-- Name: audit_log id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit_log ALTER COLUMN id SET DEFAULT nextval('public.audit_log_id_seq'::regclass);


--
-- Name: bound_resources id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.bound_resources ALTER COLUMN id SET DEFAULT nextval('public.bound_resources_id_seq'::regclass);


--
-- Name: deliveries id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.deliveries ALTER COLUMN id SET DEFAULT nextval('public.deliveries_id_seq'::regclass);


--
-- Name: held_runs id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.held_runs ALTER COLUMN id SET DEFAULT nextval('public.held_runs_id_seq'::regclass);


--
-- Name: index_generations id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.index_generations ALTER COLUMN id SET DEFAULT nextval('public.index_generations_id_seq'::regclass);


--
-- Name: intents id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.intents ALTER COLUMN id SET DEFAULT nextval('public.intents_id_seq'::regclass);


--
-- Name: name_lists id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.name_lists ALTER COLUMN id SET DEFAULT nextval('public.name_lists_id_seq'::regclass);


--
-- Name: people key; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.people ALTER COLUMN key SET DEFAULT nextval('public.people_key_seq'::regclass);


--
-- Data for Name: accounts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.accounts VALUES ('guests', 'ae56f3ee-0a69-4472-8fc6-7d195812e6d6', 'new@example.org', 'new@example.org', 'New One', NULL, NULL, 1795966494.4705923);


--
-- Data for Name: admin_sessions; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: admins; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.admins VALUES ('olga', '$argon2id$v=19$m=19456,t=2,p=1$rM+UfUjVA24ug2hB/r3nGA$IO6xTHDDQooQW3oWXlAldfq62urXNW7H/3LtOr2GKBk', 1795966469.8157618, 1795966469.8157618);


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.alembic_version VALUES ('0006');


--
-- Data for Name: attempts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.attempts VALUES (1, 'sub_config_wiki', 'evt_01a227f1b7d6414ac2cf2b37f262cf2f', 1, 1, '7', 1795966482.4199684, 0.012159478000285162, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (2, 'sub_db8fc6c93114aa8aa832164f', 'evt_01a227f1b7d6414ac2cf2b37f262cf2f', 1, 1, '7', 1795966482.420651, 0.015834763999919232, false, 500, 'http://127.0.0.1:18181 answers with status 500', '');
INSERT INTO public.attempts VALUES (3, 'sub_config_wiki', 'evt_01a227f1c48ae84f5b97595c1281c1aa', 2, 1, '7', 1795966485.666818, 0.011170835000484658, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (4, 'sub_db8fc6c93114aa8aa832164f', 'evt_01a227f1b7d6414ac2cf2b37f262cf2f', 1, 1, '7', 1795966487.8535454, 0.004670348999752605, false, 500, 'http://127.0.0.1:18181 answers with status 500', '');
INSERT INTO public.attempts VALUES (5, 'sub_config_wiki', 'evt_01a227f1d1d29183c59512ae633f2a10', 3, 1, '30', 1795966489.0628297, 0.0017083840002669604, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (6, 'sub_config_wiki', 'evt_01a227f1d1d2020b7342b34a019127f0', 4, 1, '30', 1795966489.0646803, 0.0015867609999986598, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (7, 'sub_config_wiki', 'evt_01a227f1d1d2a73bac4cbc44aa6e5dcf', 5, 1, '8', 1795966489.065046, 0.001646771999730845, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (8, 'sub_config_wiki', 'evt_01a227f1d1d2e51c1450343144fcd9b1', 6, 1, '31', 1795966489.0656412, 0.0025790499994400307, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (9, 'sub_config_wiki', 'evt_01a227f1d1d299810d64cbee039efdcb', 7, 1, '31', 1795966489.0830963, 0.0013311969996721018, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (10, 'sub_db8fc6c93114aa8aa832164f', 'evt_01a227f1d1d29183c59512ae633f2a10', 3, 1, '30', 1795966489.0636013, 0.0019719800002349075, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (11, 'sub_db8fc6c93114aa8aa832164f', 'evt_01a227f1d1d2020b7342b34a019127f0', 4, 1, '30', 1795966489.0686738, 0.015400722999402205, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (12, 'sub_db8fc6c93114aa8aa832164f', 'evt_01a227f1d1d2a73bac4cbc44aa6e5dcf', 5, 1, '8', 1795966489.084205, 0.0009461400004511233, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (13, 'sub_db8fc6c93114aa8aa832164f', 'evt_01a227f1d1d2e51c1450343144fcd9b1', 6, 1, '31', 1795966489.084586, 0.0009988090005208505, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (14, 'sub_db8fc6c93114aa8aa832164f', 'evt_01a227f1d1d299810d64cbee039efdcb', 7, 1, '31', 1795966489.0856333, 0.0021329210003386834, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (15, 'sub_config_wiki', 'evt_01a227f1e6f38a2df551312f2a27ba6a', 8, 1, '5', 1795966494.459033, 0.0018181799996455084, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (16, 'sub_db8fc6c93114aa8aa832164f', 'evt_01a227f1e6f38a2df551312f2a27ba6a', 8, 1, '5', 1795966494.4594963, 0.0014498170003207633, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (17, 'sub_config_wiki', 'evt_01a227f1e71c2fc784f5734ba1b5625e', 9, 1, 'ae56f3ee-0a69-4472-8fc6-7d195812e6d6', 1795966494.5148213, 0.002151408999452542, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (18, 'sub_config_wiki', 'evt_01a227f1e71c32e9b789776bb0734ff0', 10, 1, 'ae56f3ee-0a69-4472-8fc6-7d195812e6d6', 1795966494.5170214, 0.00045948000024509383, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (19, 'sub_db8fc6c93114aa8aa832164f', 'evt_01a227f1e71c2fc784f5734ba1b5625e', 9, 1, 'ae56f3ee-0a69-4472-8fc6-7d195812e6d6', 1795966494.5153408, 0.0011688939994201064, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (20, 'sub_db8fc6c93114aa8aa832164f', 'evt_01a227f1e71c32e9b789776bb0734ff0', 10, 1, 'ae56f3ee-0a69-4472-8fc6-7d195812e6d6', 1795966494.516723, 0.001168214000244916, true, 200, NULL, '');


--
-- Data for Name: audit_log; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.audit_log VALUES (1, 1795966467.5766966, 'token.created', 'reader', 'command line', '{"id": "tok_d764706cf2154c88c3a7fdf5", "name": "reader", "state": "live", "scopes": ["events:read", "subscriptions:write", "sync:admin"], "resources": [{"kind": "all"}], "created_at": "2026-11-29T15:34:25Z", "expires_at": null, "revoked_at": null, "used_at": null}');
INSERT INTO public.audit_log VALUES (2, 1795966471.5804925, 'admin.created', 'olga', 'command line', '{}');
INSERT INTO public.audit_log VALUES (3, 1795966477.2912292, 'token.rotated', 'groups', 'command line', '{}');
INSERT INTO public.audit_log VALUES (4, 1795966481.358648, 'subscription.created', 'sub_db8fc6c93114aa8aa832164f', 'token:reader', '{"token": "reader", "uid": "crm", "resource": "all", "host": "http://127.0.0.1:18181"}');
INSERT INTO public.audit_log VALUES (5, 1795966494.5563204, 'subscription.created', 'sub_d46ca25ea7b7aa00195079a1', NULL, '{"token": "reader", "uid": "push.93744396-8ecb-4b17-9b0d-3da147cda134.vIxJjpChO6M714AKAO1TBA", "resource": "hq", "host": null}');
INSERT INTO public.audit_log VALUES (6, 1795966495.7166934, 'sync.held', 'branch', NULL, '{"run": 1, "reason": "18 of 30 people (60 %) would be deleted. The limit is 20 % and 10", "counts": {"created": 0, "updated": 0, "deleted": 18, "due": 0, "disabled": 0, "regrouped": 0}}');


--
-- Data for Name: bound_resources; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.bound_resources VALUES (1, '448ed7cf2af75b6cc17f696a76a29c62659db5230c666594293acacc1b5d1eed', 'backend', 'hq', 11, 1);


--
-- Data for Name: deliveries; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.deliveries VALUES (2, 'sub_db8fc6c93114aa8aa832164f', 2, 'hq/7', 'evt_01a227f1c48ae84f5b97595c1281c1aa', 'user.updated', 'hq', '7', 'held', 0, NULL, NULL, NULL, 1795966485.7147293, 1795966485.7147293);
INSERT INTO public.deliveries VALUES (1, 'sub_db8fc6c93114aa8aa832164f', 1, 'hq/7', 'evt_01a227f1b7d6414ac2cf2b37f262cf2f', 'user.updated', 'hq', '7', 'parked', 2, 1795966772.1728299, 'http://127.0.0.1:18181 answers with status 500', 500, 1795966482.48139, 1795966487.8994896);


--
-- Data for Name: events; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.events VALUES (1, 'evt_01a227f1b7d6414ac2cf2b37f262cf2f', 'user.updated', 'hq', '7', NULL, 1795966482.3901389, NULL, '["mail"]', '{"object":{"id":"7","username":"u07","full_name":"Renamed Seven","distinguished_name":null,"emails":[{"address":"u07@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{"full_name":{"old":"Person 7 of Köln","new":"Renamed Seven"}}}');
INSERT INTO public.events VALUES (2, 'evt_01a227f1c48ae84f5b97595c1281c1aa', 'user.updated', 'hq', '7', NULL, 1795966485.642986, NULL, '["mail"]', '{"object":{"id":"7","username":"u07","full_name":"Renamed Seven","distinguished_name":null,"emails":[{"address":"seven@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{"emails":{"old":[{"address":"u07@example.org","is_verified":true,"is_preferred":true}],"new":[{"address":"seven@example.org","is_verified":true,"is_preferred":true}]}}}');
INSERT INTO public.events VALUES (3, 'evt_01a227f1d1d29183c59512ae633f2a10', 'membership.removed', 'hq', '30', 'sales', 1795966489.0420961, NULL, '["sales"]', '{"object":null,"before":{"id":"30","username":"u30","full_name":"Person 30 of Köln","distinguished_name":null,"emails":[{"address":"u30@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO public.events VALUES (4, 'evt_01a227f1d1d2020b7342b34a019127f0', 'user.deleted', 'hq', '30', NULL, 1795966489.0420961, NULL, '["sales"]', '{"object":null,"before":{"id":"30","username":"u30","full_name":"Person 30 of Köln","distinguished_name":null,"emails":[{"address":"u30@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO public.events VALUES (5, 'evt_01a227f1d1d2a73bac4cbc44aa6e5dcf', 'user.updated', 'hq', '8', NULL, 1795966489.0420961, NULL, '["sales"]', '{"object":{"id":"8","username":"u08","full_name":"Person 8 of Köln","distinguished_name":null,"emails":[{"address":"eight@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{"emails":{"old":[{"address":"u08@example.org","is_verified":true,"is_preferred":true}],"new":[{"address":"eight@example.org","is_verified":true,"is_preferred":true}]}}}');
INSERT INTO public.events VALUES (6, 'evt_01a227f1d1d2e51c1450343144fcd9b1', 'user.created', 'hq', '31', NULL, 1795966489.0420961, NULL, '["mail"]', '{"object":{"id":"31","username":"u31","full_name":"Person 31 of Köln","distinguished_name":null,"emails":[{"address":"u31@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO public.events VALUES (7, 'evt_01a227f1d1d299810d64cbee039efdcb', 'membership.added', 'hq', '31', 'mail', 1795966489.0420961, NULL, '["mail"]', '{"object":{"id":"31","username":"u31","full_name":"Person 31 of Köln","distinguished_name":null,"emails":[{"address":"u31@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO public.events VALUES (8, 'evt_01a227f1e6f38a2df551312f2a27ba6a', 'membership.added', 'hq', '5', 'sales', 1795966494.4515781, 'frontend:groups', '["mail","sales"]', '{"object":{"id":"5","username":"u05","full_name":"Person 5 of Köln","distinguished_name":null,"emails":[{"address":"u05@example.org","is_verified":true,"is_preferred":true}],"groups":["mail","sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO public.events VALUES (9, 'evt_01a227f1e71c2fc784f5734ba1b5625e', 'user.created', 'guests', 'ae56f3ee-0a69-4472-8fc6-7d195812e6d6', NULL, 1795966494.4924223, 'frontend:groups', '["hq/sales"]', '{"object":{"id":"ae56f3ee-0a69-4472-8fc6-7d195812e6d6","username":"new@example.org","full_name":"New One","distinguished_name":null,"emails":[{"address":"new@example.org","is_verified":true,"is_preferred":true}],"groups":["hq/sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO public.events VALUES (10, 'evt_01a227f1e71c32e9b789776bb0734ff0', 'membership.added', 'guests', 'ae56f3ee-0a69-4472-8fc6-7d195812e6d6', 'hq/sales', 1795966494.4924223, 'frontend:groups', '["hq/sales"]', '{"object":{"id":"ae56f3ee-0a69-4472-8fc6-7d195812e6d6","username":"new@example.org","full_name":"New One","distinguished_name":null,"emails":[{"address":"new@example.org","is_verified":true,"is_preferred":true}],"groups":["hq/sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO public.events VALUES (11, 'evt_01a227f1e73c67e9ae4e50731953c07d', 'ips_connect.register', 'forum', '1', NULL, 1795966494.5246003, NULL, '[]', '{"object":{"name":"Eve","email":"eve@example.org","revalidateUrl":""},"changed":{}}');


--
-- Data for Name: failed_logins; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.failed_logins VALUES ('archive', 'u06', '127.0.0.1', 'c5e4a9633ec1595ca50ebbff986064e76bfb17c29b93f250ee11af5a361674c5', 1795966494.7075148);
INSERT INTO public.failed_logins VALUES ('archive', 'u06', '127.0.0.1', '7f71b1a54a470b3045843641e13da98298731c262938c54ce607b3814a710040', 1795966494.7180226);


--
-- Data for Name: frontend_tokens; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.frontend_tokens VALUES ('groups', 'ee160829613098092bc5a28fe7a3a15149abc8bf767fb859b8cb9522d8c4fbaf', 1795966477.2865155);


--
-- Data for Name: group_identities; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.group_identities VALUES ('groups', 'mail', 'mail', 'hq', 'mail');
INSERT INTO public.group_identities VALUES ('groups', 'sales', 'sales', 'hq', 'sales');


--
-- Data for Name: held_changes; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.held_changes VALUES (1, 1, '13', 'delete', NULL, NULL);
INSERT INTO public.held_changes VALUES (1, 2, '14', 'delete', NULL, NULL);
INSERT INTO public.held_changes VALUES (1, 3, '15', 'delete', NULL, NULL);
INSERT INTO public.held_changes VALUES (1, 4, '16', 'delete', NULL, NULL);
INSERT INTO public.held_changes VALUES (1, 5, '17', 'delete', NULL, NULL);
INSERT INTO public.held_changes VALUES (1, 6, '18', 'delete', NULL, NULL);
INSERT INTO public.held_changes VALUES (1, 7, '19', 'delete', NULL, NULL);
INSERT INTO public.held_changes VALUES (1, 8, '20', 'delete', NULL, NULL);
INSERT INTO public.held_changes VALUES (1, 9, '21', 'delete', NULL, NULL);
INSERT INTO public.held_changes VALUES (1, 10, '22', 'delete', NULL, NULL);
INSERT INTO public.held_changes VALUES (1, 11, '23', 'delete', NULL, NULL);
INSERT INTO public.held_changes VALUES (1, 12, '24', 'delete', NULL, NULL);
INSERT INTO public.held_changes VALUES (1, 13, '25', 'delete', NULL, NULL);
INSERT INTO public.held_changes VALUES (1, 14, '26', 'delete', NULL, NULL);
INSERT INTO public.held_changes VALUES (1, 15, '27', 'delete', NULL, NULL);
INSERT INTO public.held_changes VALUES (1, 16, '28', 'delete', NULL, NULL);
INSERT INTO public.held_changes VALUES (1, 17, '29', 'delete', NULL, NULL);
INSERT INTO public.held_changes VALUES (1, 18, '30', 'delete', NULL, NULL);


--
-- Data for Name: held_runs; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.held_runs VALUES (1, 'branch', 'held', '18 of 30 people (60 %) would be deleted. The limit is 20 % and 10', '4063e4ef86024caf836a6757ecb06b0b412520ec9e4b9fd0632c12a13e917e92', 11, 1795966495.6993458, 1795966496.874794, '{"created":0,"updated":0,"deleted":18,"due":0,"disabled":0,"regrouped":0}', '42e29284228ed18a3637d73901d86a7e94aadf4c27bcdc3e134db5bbcc8d2a8b', '["1-094f37765cce970c", 565, 1795962894722455263, 1795966494722358012, 2228651]');


--
-- Data for Name: hourly_counts; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: index_generations; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.index_generations VALUES (2, 'branch', 1795966494.7242117, 1795966494.7287476);


--
-- Data for Name: intents; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.intents VALUES (3, 'hq', '5', NULL, 'groups', 1795965901.5557175);


--
-- Data for Name: ips_connect_accounts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.ips_connect_accounts VALUES ('forum', 1, 'Eve', 'eve', 'eve@example.org', 'eve@example.org', NULL, '$2y$13$oldstoreoldstoreoldstoreoldstoreoldstoreoldstoreabcde', 'oldstoreoldstoreoldsto', false, '', 1795966494.5185332, 1795966494.5185332);


--
-- Data for Name: ips_connect_chains; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: ips_connect_changes; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.ips_connect_changes VALUES ('forum', 1, 1);


--
-- Data for Name: ips_connect_counters; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.ips_connect_counters VALUES ('forum', 1, 1);


--
-- Data for Name: ips_connect_gaps; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: ips_connect_handed_over; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: ips_connect_keys; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: ips_connect_links; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: ips_connect_masters; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: journal_state; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.journal_state VALUES (1, 11, 0, 1);


--
-- Data for Name: kept_memberships; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.kept_memberships VALUES ('hq', '5', 'hq', 'sales', true, 1795966494.448217);
INSERT INTO public.kept_memberships VALUES ('guests', 'ae56f3ee-0a69-4472-8fc6-7d195812e6d6', 'hq', 'sales', true, 1795966494.481895);


--
-- Data for Name: leases; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.leases VALUES ('address/15', '352dc0d884d4fe31', 1, 0);
INSERT INTO public.leases VALUES ('address/115', 'c30cc323079a9f21', 1, 0);
INSERT INTO public.leases VALUES ('service/push', 'vm:19613:749ed4af', 1, 0);
INSERT INTO public.leases VALUES ('prune', 'vm:19613:5faf9aca', 1, 0);
INSERT INTO public.leases VALUES ('watch/branch', 'vm:19613:f3438822', 1, 0);
INSERT INTO public.leases VALUES ('subscription/sub_config_wiki', 'vm:19613:e7cba7a7', 1, 0);
INSERT INTO public.leases VALUES ('subscription/sub_db8fc6c93114aa8aa832164f', 'vm:19613:e7cba7a7', 1, 0);
INSERT INTO public.leases VALUES ('watch/hq', 'vm:19613:31cea980', 1, 0);
INSERT INTO public.leases VALUES ('watch/guests', 'vm:19613:354a2aff', 1, 0);


--
-- Data for Name: name_index; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.name_index VALUES (2, 'b01.1', '1');
INSERT INTO public.name_index VALUES (2, 'b02.2', '2');
INSERT INTO public.name_index VALUES (2, 'b03.3', '3');
INSERT INTO public.name_index VALUES (2, 'b04.4', '4');
INSERT INTO public.name_index VALUES (2, 'b05.5', '5');
INSERT INTO public.name_index VALUES (2, 'b06.6', '6');
INSERT INTO public.name_index VALUES (2, 'b07.7', '7');
INSERT INTO public.name_index VALUES (2, 'b08.8', '8');
INSERT INTO public.name_index VALUES (2, 'b09.9', '9');
INSERT INTO public.name_index VALUES (2, 'b10.10', '10');
INSERT INTO public.name_index VALUES (2, 'b11.11', '11');
INSERT INTO public.name_index VALUES (2, 'b12.12', '12');


--
-- Data for Name: name_lists; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.name_lists VALUES (1, 'archive', 'released', 1795966474.926808, 1795966474.926808, 30, '620ef7db9d0641a1d225bac5a9f7f73576dfaaf0f1c6b8dd04d094400028b548', '\x78010dca3901c0301003b0423a3b7d81857f3568d39e1c7bcae2e4e2e6e1e53b76062f5ebc78f1e2c58b17af5ebd7af5ead5ab57af5ebd353f0450199f', '[["hq", 30]]', '\x7801030000000001', 0, '');
INSERT INTO public.name_lists VALUES (2, 'archive', 'released', 1795966494.6418731, 1795966494.6418731, 30, 'a9e69c7297d3a7505a2bd10095c7b774f4919bd8dda5e2ddd7417f4b226db67b', '\x78010dcab10180200003304ea245510fe37f3364cb99196796c5c5cde6e1e51b27132f5ebc78f1e2c58b17af5ebd7af5ead5ab57af5ebd951f045119a0', '[["hq", 30]]', '\x7801030000000001', 0, '');
INSERT INTO public.name_lists VALUES (3, 'branch', 'released', 1795966494.6808343, 1795966494.6808343, 30, '32a7b17202a98b67ecd201063a3f3c4a44ab9f6ff3ea93ba299af613169fc786', '\x78010dcec111c4201003c18b680a096c201de71fc4cd67f6a5aefd46c8ef1ba57632ed62d987c7bebc76b3ede1d8cbfd7d1964781cbb4e89f34ce23e8b08e4210a79894436d1c82122b944a583aa3454a5fea0d24955baa84a1faad297aa7453951eaad24b55e6608e3f50fe2701', '[["branch", 30]]', '\x7801030000000001', 0, '');
INSERT INTO public.name_lists VALUES (4, 'branch', 'held', 1795966494.7330976, 1795966494.7330976, 12, '76587b8e4712fb587ff9d1900b3edb6f52eac299c22d53a14674f315b5eae5e0', '\x78010dcbb91100200cc4402ad2f80ce669c7fd17c125ab481d42a323493b9976b16c5176b3ede1d8cbb58f375a81c2f1ec5b89f20322e20e77', '[["branch", 12]]', '\x7801030000000001', 18, '18 of 30 names that were listed before are missing');


--
-- Data for Name: open_batches; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: people; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.people VALUES (1, 'hq', '1', '\x2c4e3fe5814c7f98dfd93b4a39892284', '{"id":"1","username":"u01","full_name":"Person 1 of Köln","distinguished_name":null,"emails":[{"address":"u01@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (2, 'hq', '2', '\xdeac749e907a0f678c00e7308244e447', '{"id":"2","username":"u02","full_name":"Person 2 of Köln","distinguished_name":null,"emails":[{"address":"u02@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (3, 'hq', '3', '\x7da1815139a5d2230b4ee86e491f01c4', '{"id":"3","username":"u03","full_name":"Person 3 of Köln","distinguished_name":null,"emails":[{"address":"u03@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (4, 'hq', '4', '\xdcca029d532110db333caafd40511aab', '{"id":"4","username":"u04","full_name":"Person 4 of Köln","distinguished_name":null,"emails":[{"address":"u04@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (6, 'hq', '6', '\xc6d69819ef384eae5b93a374c2b94e55', '{"id":"6","username":"u06","full_name":"Person 6 of Köln","distinguished_name":null,"emails":[{"address":"u06@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (9, 'hq', '9', '\xb673bc7d0dd7637c9e7e51c6c90c17fe', '{"id":"9","username":"u09","full_name":"Person 9 of Köln","distinguished_name":null,"emails":[{"address":"u09@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (10, 'hq', '10', '\xf67cbb32937f91e0e0fd9c0cfbf39634', '{"id":"10","username":"u10","full_name":"Person 10 of Köln","distinguished_name":null,"emails":[{"address":"u10@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (11, 'hq', '11', '\x3f85cffe1b51b310ba1563a2fb137764', '{"id":"11","username":"u11","full_name":"Person 11 of Köln","distinguished_name":null,"emails":[{"address":"u11@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (12, 'hq', '12', '\x5b3bea1a5f0115eab0ff54c16c53052c', '{"id":"12","username":"u12","full_name":"Person 12 of Köln","distinguished_name":null,"emails":[{"address":"u12@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (13, 'hq', '13', '\x551d19888a594fccf3d32f6d21c7842a', '{"id":"13","username":"u13","full_name":"Person 13 of Köln","distinguished_name":null,"emails":[{"address":"u13@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (14, 'hq', '14', '\x222df6058ec85f4a4fb5f70980b033ff', '{"id":"14","username":"u14","full_name":"Person 14 of Köln","distinguished_name":null,"emails":[{"address":"u14@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (15, 'hq', '15', '\x48a8ae760b1f8b3cab9fd35c4ae7ce10', '{"id":"15","username":"u15","full_name":"Person 15 of Köln","distinguished_name":null,"emails":[{"address":"u15@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (16, 'hq', '16', '\x9adb09b8ae8966402af16e4a33b9d25d', '{"id":"16","username":"u16","full_name":"Person 16 of Köln","distinguished_name":null,"emails":[{"address":"u16@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (17, 'hq', '17', '\xbd744d7d8fbe6f0b2fe8e2a858ea42f2', '{"id":"17","username":"u17","full_name":"Person 17 of Köln","distinguished_name":null,"emails":[{"address":"u17@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (18, 'hq', '18', '\xd4b182f03e09d8b4a23bd89a7c7c5224', '{"id":"18","username":"u18","full_name":"Person 18 of Köln","distinguished_name":null,"emails":[{"address":"u18@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (19, 'hq', '19', '\x25834e61ec5394e4e30b307f203b3724', '{"id":"19","username":"u19","full_name":"Person 19 of Köln","distinguished_name":null,"emails":[{"address":"u19@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (20, 'hq', '20', '\x7b20861f52fa54b6955acdd62970c755', '{"id":"20","username":"u20","full_name":"Person 20 of Köln","distinguished_name":null,"emails":[{"address":"u20@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (21, 'hq', '21', '\x50908d68c426bc47a04e87f9ff584301', '{"id":"21","username":"u21","full_name":"Person 21 of Köln","distinguished_name":null,"emails":[{"address":"u21@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (22, 'hq', '22', '\xaae06fec096857cf3de78d0ecf68749e', '{"id":"22","username":"u22","full_name":"Person 22 of Köln","distinguished_name":null,"emails":[{"address":"u22@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (23, 'hq', '23', '\xead0f5284fcec378e630f43b015c5d1f', '{"id":"23","username":"u23","full_name":"Person 23 of Köln","distinguished_name":null,"emails":[{"address":"u23@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (24, 'hq', '24', '\xa1d41bc3024d0b2da154cb225c7a464a', '{"id":"24","username":"u24","full_name":"Person 24 of Köln","distinguished_name":null,"emails":[{"address":"u24@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (25, 'hq', '25', '\x66d67ea4c9c2b58d13ce6e914f5efc31', '{"id":"25","username":"u25","full_name":"Person 25 of Köln","distinguished_name":null,"emails":[{"address":"u25@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (8, 'hq', '8', '\xe92f94d823413be0843e4a2469185ae8', '{"id":"8","username":"u08","full_name":"Person 8 of Köln","distinguished_name":null,"emails":[{"address":"eight@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 5, NULL);
INSERT INTO public.people VALUES (5, 'hq', '5', '\xacc8ba568f5ac0fd9ca1c9441a048448', '{"id":"5","username":"u05","full_name":"Person 5 of Köln","distinguished_name":null,"emails":[{"address":"u05@example.org","is_verified":true,"is_preferred":true}],"groups":["mail","sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 8, NULL);
INSERT INTO public.people VALUES (26, 'hq', '26', '\x2ed694671f23dbccb5a0afd21aa66c88', '{"id":"26","username":"u26","full_name":"Person 26 of Köln","distinguished_name":null,"emails":[{"address":"u26@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (27, 'hq', '27', '\x88455113f9ed59d5120a19889766be2c', '{"id":"27","username":"u27","full_name":"Person 27 of Köln","distinguished_name":null,"emails":[{"address":"u27@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (28, 'hq', '28', '\xb38669e22c8793c82341dc2a5ad61aab', '{"id":"28","username":"u28","full_name":"Person 28 of Köln","distinguished_name":null,"emails":[{"address":"u28@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (29, 'hq', '29', '\xe7079471c132370f0f721c601bb9f286', '{"id":"29","username":"u29","full_name":"Person 29 of Köln","distinguished_name":null,"emails":[{"address":"u29@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (31, 'branch', '1', '\xf125e7a6f70f221dcaeec78936c8c9f6', '{"id":"1","username":"b01.1","full_name":"Branch person 1","distinguished_name":null,"emails":[{"address":"b01@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (32, 'branch', '2', '\x6ed1dd06230461ccd8a6f33727669898', '{"id":"2","username":"b02.2","full_name":"Branch person 2","distinguished_name":null,"emails":[{"address":"b02@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (33, 'branch', '3', '\x0b6834f651379504b96fc7fb7734f6ab', '{"id":"3","username":"b03.3","full_name":"Branch person 3","distinguished_name":null,"emails":[{"address":"b03@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (34, 'branch', '4', '\xe749c68a7481188ff3bf443ba2a2d559', '{"id":"4","username":"b04.4","full_name":"Branch person 4","distinguished_name":null,"emails":[{"address":"b04@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (35, 'branch', '5', '\xa83d9094cc5bd4f81562d73632153da8', '{"id":"5","username":"b05.5","full_name":"Branch person 5","distinguished_name":null,"emails":[{"address":"b05@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (36, 'branch', '6', '\x5c3a27ae3cf37d9b33b9936f1ed682a7', '{"id":"6","username":"b06.6","full_name":"Branch person 6","distinguished_name":null,"emails":[{"address":"b06@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (37, 'branch', '7', '\x2767a5f81dc36358c3986037bb40b3b5', '{"id":"7","username":"b07.7","full_name":"Branch person 7","distinguished_name":null,"emails":[{"address":"b07@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (38, 'branch', '8', '\x8b9a1c1cb0b47abad82534d4f9976b87', '{"id":"8","username":"b08.8","full_name":"Branch person 8","distinguished_name":null,"emails":[{"address":"b08@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (39, 'branch', '9', '\x5b06c12884bfafab7890eb1ae179ea13', '{"id":"9","username":"b09.9","full_name":"Branch person 9","distinguished_name":null,"emails":[{"address":"b09@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (40, 'branch', '10', '\xc79e07f87cd26716b1b8a6d0cb2c4335', '{"id":"10","username":"b10.10","full_name":"Branch person 10","distinguished_name":null,"emails":[{"address":"b10@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (41, 'branch', '11', '\x043181d52974a0c5860c6f3271f06b6b', '{"id":"11","username":"b11.11","full_name":"Branch person 11","distinguished_name":null,"emails":[{"address":"b11@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (42, 'branch', '12', '\x000450c824d9be4c95a92654ae2649b9', '{"id":"12","username":"b12.12","full_name":"Branch person 12","distinguished_name":null,"emails":[{"address":"b12@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (43, 'branch', '13', '\xfe52f090ecb1a4e0cad358f353442583', '{"id":"13","username":"b13.13","full_name":"Branch person 13","distinguished_name":null,"emails":[{"address":"b13@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (44, 'branch', '14', '\xe46726e4beaba45c21bb04ec85e7bbc9', '{"id":"14","username":"b14.14","full_name":"Branch person 14","distinguished_name":null,"emails":[{"address":"b14@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (45, 'branch', '15', '\xd1e78b2f169a723674651b3013ea13d8', '{"id":"15","username":"b15.15","full_name":"Branch person 15","distinguished_name":null,"emails":[{"address":"b15@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (46, 'branch', '16', '\x867fd6d9f4c956b0b3f31cf371b25b26', '{"id":"16","username":"b16.16","full_name":"Branch person 16","distinguished_name":null,"emails":[{"address":"b16@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (47, 'branch', '17', '\x12653d4316d24dcd15cf03558ccc8226', '{"id":"17","username":"b17.17","full_name":"Branch person 17","distinguished_name":null,"emails":[{"address":"b17@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (48, 'branch', '18', '\xc2d65d375aebc6e284d19cf756e28e15', '{"id":"18","username":"b18.18","full_name":"Branch person 18","distinguished_name":null,"emails":[{"address":"b18@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (49, 'branch', '19', '\xd8eeef3a92bead8f47f7b69a73073691', '{"id":"19","username":"b19.19","full_name":"Branch person 19","distinguished_name":null,"emails":[{"address":"b19@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (50, 'branch', '20', '\x8238e3daf863373630af28b15d3ea4ef', '{"id":"20","username":"b20.20","full_name":"Branch person 20","distinguished_name":null,"emails":[{"address":"b20@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (51, 'branch', '21', '\xa78a1675bd1e8e42ed8e03fc408ce548', '{"id":"21","username":"b21.21","full_name":"Branch person 21","distinguished_name":null,"emails":[{"address":"b21@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (52, 'branch', '22', '\x3f9768f05ef664679b3591012f283ff5', '{"id":"22","username":"b22.22","full_name":"Branch person 22","distinguished_name":null,"emails":[{"address":"b22@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (53, 'branch', '23', '\xce5f8a4e388a1844cd0730529afbf613', '{"id":"23","username":"b23.23","full_name":"Branch person 23","distinguished_name":null,"emails":[{"address":"b23@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (54, 'branch', '24', '\x676cade559c0b81c1b23ee34bf06bff0', '{"id":"24","username":"b24.24","full_name":"Branch person 24","distinguished_name":null,"emails":[{"address":"b24@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (55, 'branch', '25', '\x13a64ede5093f100c2a5620206a891ee', '{"id":"25","username":"b25.25","full_name":"Branch person 25","distinguished_name":null,"emails":[{"address":"b25@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (56, 'branch', '26', '\x3b5540162518ae0091585bd7027ac894', '{"id":"26","username":"b26.26","full_name":"Branch person 26","distinguished_name":null,"emails":[{"address":"b26@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (57, 'branch', '27', '\x66df9e3bffbd14d1fa1514dca0763268', '{"id":"27","username":"b27.27","full_name":"Branch person 27","distinguished_name":null,"emails":[{"address":"b27@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (58, 'branch', '28', '\x3abeb39a80e26112d2527a52a351e586', '{"id":"28","username":"b28.28","full_name":"Branch person 28","distinguished_name":null,"emails":[{"address":"b28@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (59, 'branch', '29', '\xddb91553c06ebdd6bd8f9f72bc3d1579', '{"id":"29","username":"b29.29","full_name":"Branch person 29","distinguished_name":null,"emails":[{"address":"b29@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (60, 'branch', '30', '\x9bd2fc92870db7a261f3b0b8a29ae54e', '{"id":"30","username":"b30.30","full_name":"Branch person 30","distinguished_name":null,"emails":[{"address":"b30@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (7, 'hq', '7', '\x7d54bbfe940036a84ebfc8c6cea7adfa', '{"id":"7","username":"u07","full_name":"Renamed Seven","distinguished_name":null,"emails":[{"address":"seven@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 2, NULL);
INSERT INTO public.people VALUES (61, 'hq', '31', '\x78be34944d74f02fc2a331c28255cb23', '{"id":"31","username":"u31","full_name":"Person 31 of Köln","distinguished_name":null,"emails":[{"address":"u31@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 7, NULL);
INSERT INTO public.people VALUES (62, 'guests', 'ae56f3ee-0a69-4472-8fc6-7d195812e6d6', '\x312c7cbe81a265dd245e3a8379ac44f2', '{"id":"ae56f3ee-0a69-4472-8fc6-7d195812e6d6","username":"new@example.org","full_name":"New One","distinguished_name":null,"emails":[{"address":"new@example.org","is_verified":true,"is_preferred":true}],"groups":["hq/sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 10, NULL);


--
-- Data for Name: plugin_tables; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.plugin_tables VALUES ('accounts', 1);
INSERT INTO public.plugin_tables VALUES ('push', 3);
INSERT INTO public.plugin_tables VALUES ('ips_connect', 6);


--
-- Data for Name: profile_identities; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.profile_identities VALUES ('7DUqLsIJUCkh1n1tXR9dOb', 'hq', '5');
INSERT INTO public.profile_identities VALUES ('1fFL5tHcmIz2knGDyH6IZ5', 'guests', 'ae56f3ee-0a69-4472-8fc6-7d195812e6d6');


--
-- Data for Name: push_agents; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.push_agents VALUES ('push', '189a972e64114b699b61d83245e942ef', NULL, 1795966494.5614274, 0);


--
-- Data for Name: push_channels; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.push_channels VALUES ('push', 'vIxJjpChO6M714AKAO1TBA', '189a972e64114b699b61d83245e942ef', '93744396-8ecb-4b17-9b0d-3da147cda134', NULL, NULL, NULL, 0, 1795966494.5614274, NULL, 'sub_d46ca25ea7b7aa00195079a1');
INSERT INTO public.push_channels VALUES ('push', '5LYEj0BbJSkluNYO115klQ', '189a972e64114b699b61d83245e942ef', 'bb0036fb-049b-4aab-8be5-8b42bfae601e', 7, NULL, NULL, 1, 1795966494.6204667, NULL, NULL);


--
-- Data for Name: push_mounts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.push_mounts VALUES ('push', '740c2dd846ceb0c9031c471ff5ca1e9b716f7b1128dd0f7cff6aa8de30bdda65', 1);


--
-- Data for Name: push_upstream_agents; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: push_upstream_channels; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: subscriptions; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.subscriptions VALUES ('sub_d46ca25ea7b7aa00195079a1', 'tok_d764706cf2154c88c3a7fdf5', 'push.93744396-8ecb-4b17-9b0d-3da147cda134.vIxJjpChO6M714AKAO1TBA', 'push', '{"kind":"backend","backend":"hq"}', '["*"]', '{}', '[]', 1, NULL, false, true, 'ok', NULL, 1795966494.539822, 1795966494.539822, 11, NULL, NULL, NULL, 0, NULL, 0, 1);
INSERT INTO public.subscriptions VALUES ('sub_config_wiki', 'config', 'wiki', 'webhook', '{"kind":"all"}', '["*"]', '{"url":"http://127.0.0.1:18181/wiki","secret":"whsec_b2xkIHN0b3JlcyBhcmUgb3BlbmVkIGJ5IG5ldyBjb2Rl"}', '[]', 1, NULL, false, true, 'ok', NULL, 1795966474.8910189, 1795966474.8910189, 11, NULL, NULL, NULL, 0, NULL, 0, NULL);
INSERT INTO public.subscriptions VALUES ('sub_db8fc6c93114aa8aa832164f', 'tok_d764706cf2154c88c3a7fdf5', 'crm', 'webhook', '{"kind":"all"}', '["*"]', '{"type":"webhook","url":"http://127.0.0.1:18181/crm"}', '[{"secret":"whsec_ZHS978bvjIKb7ttnK/QeMVGxANb8VXla6uptMt9xJ10=","until":null}]', 1, NULL, false, true, 'ok', NULL, 1795966481.3548203, 1795966481.3548203, 11, NULL, NULL, NULL, 0, NULL, 0, NULL);


--
-- Data for Name: tokens; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.tokens VALUES ('tok_d764706cf2154c88c3a7fdf5', 'reader', '20b500f738987c7af00f77c6caca62b281c90bbf0ddeda534e93a5928e4fd849', '["events:read", "subscriptions:write", "sync:admin"]', '[{"kind": "all"}]', 1795966465.8102808, NULL, NULL, 1795966481.3396356);


--
-- Data for Name: watches; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.watches VALUES ('guests', 1795966474.9426987, '8de0d1d7176e86d45bfd6adc0362c67b5ed0a797463f6f3e3d8f4520e4a0e6d5', NULL, 1795966480.117975, 0.044006505000652396, 0, NULL, NULL, NULL, false);
INSERT INTO public.watches VALUES ('hq', 1795966474.947618, '39ef371be29218a4f6d6b4ee53dda3aa6471c383c0e3250c229cb2c0a4c24849', '["1-48d9fb51fe3b023b", 4709, 1795962888591075181, 1795966488590998235, 2228650]', 1795966490.1532736, 0.055078037999919616, 30, NULL, NULL, NULL, false);
INSERT INTO public.watches VALUES ('branch', 1795966475.0310233, '42e29284228ed18a3637d73901d86a7e94aadf4c27bcdc3e134db5bbcc8d2a8b', '["1-094f37765cce970c", 1411, 1795962864228697538, 1795966464228691205, 2228651]', 1795966496.877109, 0.13573649799945997, 30, NULL, NULL, NULL, false);


--
-- Name: attempts_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.attempts_id_seq', 20, true);


--
-- Name: audit_log_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.audit_log_id_seq', 6, true);


--
-- Name: bound_resources_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.bound_resources_id_seq', 1, true);


--
-- Name: deliveries_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.deliveries_id_seq', 2, true);


--
-- Name: held_runs_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.held_runs_id_seq', 1, true);


--
-- Name: index_generations_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.index_generations_id_seq', 2, true);


--
-- Name: intents_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.intents_id_seq', 3, true);


--
-- Name: name_lists_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.name_lists_id_seq', 4, true);


--
-- Name: people_key_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.people_key_seq', 62, true);


--
-- Name: accounts accounts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (backend, id);


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: ips_connect_accounts ips_connect_accounts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ips_connect_accounts
    ADD CONSTRAINT ips_connect_accounts_pkey PRIMARY KEY (backend, id);


--
-- Name: ips_connect_chains ips_connect_chains_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ips_connect_chains
    ADD CONSTRAINT ips_connect_chains_pkey PRIMARY KEY (chain);


--
-- Name: ips_connect_changes ips_connect_changes_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ips_connect_changes
    ADD CONSTRAINT ips_connect_changes_pkey PRIMARY KEY (backend, account);


--
-- Name: ips_connect_counters ips_connect_counters_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ips_connect_counters
    ADD CONSTRAINT ips_connect_counters_pkey PRIMARY KEY (backend);


--
-- Name: ips_connect_gaps ips_connect_gaps_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ips_connect_gaps
    ADD CONSTRAINT ips_connect_gaps_pkey PRIMARY KEY (backend, account);


--
-- Name: ips_connect_handed_over ips_connect_handed_over_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ips_connect_handed_over
    ADD CONSTRAINT ips_connect_handed_over_pkey PRIMARY KEY (subscription);


--
-- Name: ips_connect_keys ips_connect_keys_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ips_connect_keys
    ADD CONSTRAINT ips_connect_keys_pkey PRIMARY KEY (backend);


--
-- Name: ips_connect_links ips_connect_links_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ips_connect_links
    ADD CONSTRAINT ips_connect_links_pkey PRIMARY KEY (backend, source, person_id);


--
-- Name: ips_connect_masters ips_connect_masters_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ips_connect_masters
    ADD CONSTRAINT ips_connect_masters_pkey PRIMARY KEY (backend);


--
-- Name: admin_sessions pk_admin_sessions; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.admin_sessions
    ADD CONSTRAINT pk_admin_sessions PRIMARY KEY (digest);


--
-- Name: admins pk_admins; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.admins
    ADD CONSTRAINT pk_admins PRIMARY KEY (name);


--
-- Name: attempts pk_attempts; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT pk_attempts PRIMARY KEY (id);


--
-- Name: audit_log pk_audit_log; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT pk_audit_log PRIMARY KEY (id);


--
-- Name: bound_resources pk_bound_resources; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.bound_resources
    ADD CONSTRAINT pk_bound_resources PRIMARY KEY (id);


--
-- Name: deliveries pk_deliveries; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT pk_deliveries PRIMARY KEY (id);


--
-- Name: events pk_events; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.events
    ADD CONSTRAINT pk_events PRIMARY KEY (serial);


--
-- Name: failed_logins pk_failed_logins; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.failed_logins
    ADD CONSTRAINT pk_failed_logins PRIMARY KEY (mount, username, caller, password_mac);


--
-- Name: frontend_tokens pk_frontend_tokens; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.frontend_tokens
    ADD CONSTRAINT pk_frontend_tokens PRIMARY KEY (mount);


--
-- Name: group_identities pk_group_identities; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.group_identities
    ADD CONSTRAINT pk_group_identities PRIMARY KEY (mount, group_id);


--
-- Name: held_changes pk_held_changes; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.held_changes
    ADD CONSTRAINT pk_held_changes PRIMARY KEY (run_id, number);


--
-- Name: held_runs pk_held_runs; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.held_runs
    ADD CONSTRAINT pk_held_runs PRIMARY KEY (id);


--
-- Name: hourly_counts pk_hourly_counts; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.hourly_counts
    ADD CONSTRAINT pk_hourly_counts PRIMARY KEY (frontend, hour, what);


--
-- Name: index_generations pk_index_generations; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.index_generations
    ADD CONSTRAINT pk_index_generations PRIMARY KEY (id);


--
-- Name: intents pk_intents; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.intents
    ADD CONSTRAINT pk_intents PRIMARY KEY (id);


--
-- Name: journal_state pk_journal_state; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.journal_state
    ADD CONSTRAINT pk_journal_state PRIMARY KEY (id);


--
-- Name: kept_memberships pk_kept_memberships; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.kept_memberships
    ADD CONSTRAINT pk_kept_memberships PRIMARY KEY (backend, person_id, group_backend, group_id);


--
-- Name: leases pk_leases; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.leases
    ADD CONSTRAINT pk_leases PRIMARY KEY (name);


--
-- Name: name_index pk_name_index; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.name_index
    ADD CONSTRAINT pk_name_index PRIMARY KEY (generation, username);


--
-- Name: name_lists pk_name_lists; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.name_lists
    ADD CONSTRAINT pk_name_lists PRIMARY KEY (id);


--
-- Name: open_batches pk_open_batches; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.open_batches
    ADD CONSTRAINT pk_open_batches PRIMARY KEY (id);


--
-- Name: people pk_people; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.people
    ADD CONSTRAINT pk_people PRIMARY KEY (key);


--
-- Name: plugin_tables pk_plugin_tables; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.plugin_tables
    ADD CONSTRAINT pk_plugin_tables PRIMARY KEY (name);


--
-- Name: profile_identities pk_profile_identities; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.profile_identities
    ADD CONSTRAINT pk_profile_identities PRIMARY KEY (profile_id);


--
-- Name: subscriptions pk_subscriptions; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.subscriptions
    ADD CONSTRAINT pk_subscriptions PRIMARY KEY (id);


--
-- Name: tokens pk_tokens; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT pk_tokens PRIMARY KEY (id);


--
-- Name: watches pk_watches; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.watches
    ADD CONSTRAINT pk_watches PRIMARY KEY (backend);


--
-- Name: push_agents push_agents_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.push_agents
    ADD CONSTRAINT push_agents_pkey PRIMARY KEY (mount, uaid);


--
-- Name: push_channels push_channels_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.push_channels
    ADD CONSTRAINT push_channels_pkey PRIMARY KEY (mount, endpoint);


--
-- Name: push_mounts push_mounts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.push_mounts
    ADD CONSTRAINT push_mounts_pkey PRIMARY KEY (mount);


--
-- Name: push_upstream_agents push_upstream_agents_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.push_upstream_agents
    ADD CONSTRAINT push_upstream_agents_pkey PRIMARY KEY (mount, uaid);


--
-- Name: push_upstream_channels push_upstream_channels_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.push_upstream_channels
    ADD CONSTRAINT push_upstream_channels_pkey PRIMARY KEY (mount, uaid, channel);


--
-- Name: accounts uq_accounts_folded; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT uq_accounts_folded UNIQUE (backend, folded);


--
-- Name: bound_resources uq_bound_resources_digest; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.bound_resources
    ADD CONSTRAINT uq_bound_resources_digest UNIQUE (digest);


--
-- Name: deliveries uq_deliveries_subscription_id; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT uq_deliveries_subscription_id UNIQUE (subscription_id, event_id);


--
-- Name: events uq_events_id; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.events
    ADD CONSTRAINT uq_events_id UNIQUE (id);


--
-- Name: group_identities uq_group_identities_mount; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.group_identities
    ADD CONSTRAINT uq_group_identities_mount UNIQUE (mount, folded);


--
-- Name: group_identities uq_group_identities_name; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.group_identities
    ADD CONSTRAINT uq_group_identities_name UNIQUE (mount, backend, name);


--
-- Name: held_runs uq_held_runs_backend; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.held_runs
    ADD CONSTRAINT uq_held_runs_backend UNIQUE (backend);


--
-- Name: ips_connect_accounts uq_ips_connect_accounts_email; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ips_connect_accounts
    ADD CONSTRAINT uq_ips_connect_accounts_email UNIQUE (backend, folded_email);


--
-- Name: ips_connect_accounts uq_ips_connect_accounts_name; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ips_connect_accounts
    ADD CONSTRAINT uq_ips_connect_accounts_name UNIQUE (backend, folded_name);


--
-- Name: ips_connect_changes uq_ips_connect_changes_number; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ips_connect_changes
    ADD CONSTRAINT uq_ips_connect_changes_number UNIQUE (backend, number);


--
-- Name: ips_connect_links uq_ips_connect_links_account; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ips_connect_links
    ADD CONSTRAINT uq_ips_connect_links_account UNIQUE (backend, account);


--
-- Name: people uq_people_backend; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.people
    ADD CONSTRAINT uq_people_backend UNIQUE (backend, person_id);


--
-- Name: profile_identities uq_profile_identities_backend; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.profile_identities
    ADD CONSTRAINT uq_profile_identities_backend UNIQUE (backend, person_id);


--
-- Name: push_channels uq_push_channels_channel; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.push_channels
    ADD CONSTRAINT uq_push_channels_channel UNIQUE (mount, uaid, channel);


--
-- Name: push_upstream_agents uq_push_upstream_agents_upstream; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.push_upstream_agents
    ADD CONSTRAINT uq_push_upstream_agents_upstream UNIQUE (mount, upstream_uaid);


--
-- Name: subscriptions uq_subscriptions_owner; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.subscriptions
    ADD CONSTRAINT uq_subscriptions_owner UNIQUE (owner, uid);


--
-- Name: tokens uq_tokens_digest; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT uq_tokens_digest UNIQUE (digest);


--
-- Name: tokens uq_tokens_name; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT uq_tokens_name UNIQUE (name);


--
-- Name: ix_admin_sessions_admin; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_admin_sessions_admin ON public.admin_sessions USING btree (admin);


--
-- Name: ix_attempts_subscription; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_attempts_subscription ON public.attempts USING btree (subscription_id, id);


--
-- Name: ix_audit_log_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_audit_log_at ON public.audit_log USING btree (at);


--
-- Name: ix_bound_resources_kind; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_bound_resources_kind ON public.bound_resources USING btree (kind, backend);


--
-- Name: ix_deliveries_lane; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_deliveries_lane ON public.deliveries USING btree (subscription_id, lane, serial);


--
-- Name: ix_deliveries_person; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_deliveries_person ON public.deliveries USING btree (backend, person_id);


--
-- Name: ix_deliveries_state; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_deliveries_state ON public.deliveries USING btree (subscription_id, state, next_at);


--
-- Name: ix_events_noticed_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_events_noticed_at ON public.events USING btree (noticed_at);


--
-- Name: ix_events_person; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_events_person ON public.events USING btree (backend, person_id, serial);


--
-- Name: ix_failed_logins_failed_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_failed_logins_failed_at ON public.failed_logins USING btree (failed_at);


--
-- Name: ix_hourly_counts_hour; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_hourly_counts_hour ON public.hourly_counts USING btree (hour);


--
-- Name: ix_index_generations_backend; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_index_generations_backend ON public.index_generations USING btree (backend);


--
-- Name: ix_intents_backend; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_intents_backend ON public.intents USING btree (backend);


--
-- Name: ix_kept_memberships_group; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_kept_memberships_group ON public.kept_memberships USING btree (group_backend, group_id);


--
-- Name: ix_name_lists_mount_state; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_name_lists_mount_state ON public.name_lists USING btree (mount, state);


--
-- Name: ix_open_batches_subscription_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_open_batches_subscription_id ON public.open_batches USING btree (subscription_id);


--
-- Name: ix_people_gone; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_people_gone ON public.people USING btree (backend, gone_at) WHERE (gone_at IS NOT NULL);


--
-- Name: ix_people_key; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_people_key ON public.people USING btree (backend, key);


--
-- Name: ix_push_channels_binding; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_push_channels_binding ON public.push_channels USING btree (mount, binding) WHERE (binding IS NOT NULL);


--
-- Name: ix_push_channels_change; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_push_channels_change ON public.push_channels USING btree (mount, change);


--
-- Name: ix_push_upstream_errand; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_push_upstream_errand ON public.push_upstream_channels USING btree (mount, errand);


--
-- Name: ix_subscriptions_bound; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_subscriptions_bound ON public.subscriptions USING btree (bound_to) WHERE (bound_to IS NOT NULL);


--
-- Name: ix_subscriptions_channels; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_subscriptions_channels ON public.subscriptions USING btree (owner, bound_to) WHERE (bound_to IS NOT NULL);


--
-- Name: ix_subscriptions_delivered; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_subscriptions_delivered ON public.subscriptions USING btree (id, changed_at) WHERE (bound_to IS NULL);


--
-- Name: admin_sessions fk_admin_sessions_admin; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.admin_sessions
    ADD CONSTRAINT fk_admin_sessions_admin FOREIGN KEY (admin) REFERENCES public.admins(name) ON DELETE CASCADE;


--
-- Name: attempts fk_attempts_subscription_id; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT fk_attempts_subscription_id FOREIGN KEY (subscription_id) REFERENCES public.subscriptions(id) ON DELETE CASCADE;


--
-- Name: deliveries fk_deliveries_subscription_id; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT fk_deliveries_subscription_id FOREIGN KEY (subscription_id) REFERENCES public.subscriptions(id) ON DELETE CASCADE;


--
-- Name: held_changes fk_held_changes_run_id; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.held_changes
    ADD CONSTRAINT fk_held_changes_run_id FOREIGN KEY (run_id) REFERENCES public.held_runs(id) ON DELETE CASCADE;


--
-- Name: name_index fk_name_index_generation; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.name_index
    ADD CONSTRAINT fk_name_index_generation FOREIGN KEY (generation) REFERENCES public.index_generations(id) ON DELETE CASCADE;


--
-- Name: open_batches fk_open_batches_subscription_id; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.open_batches
    ADD CONSTRAINT fk_open_batches_subscription_id FOREIGN KEY (subscription_id) REFERENCES public.subscriptions(id) ON DELETE CASCADE;


--
-- PostgreSQL database dump complete
--


