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
-- Name: journal_state; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.journal_state (
    id integer NOT NULL,
    last_serial bigint NOT NULL,
    pruned_serial bigint NOT NULL
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
    epoch integer NOT NULL
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
-- Name: name_lists id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.name_lists ALTER COLUMN id SET DEFAULT nextval('public.name_lists_id_seq'::regclass);


--
-- Name: people key; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.people ALTER COLUMN key SET DEFAULT nextval('public.people_key_seq'::regclass);


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.alembic_version VALUES ('0002');


--
-- Data for Name: attempts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.attempts VALUES (1, 'sub_config_wiki', 'evt_01a227c222ca8286b990e2d8f3f4dc34', 1, 1, '7', 1795963364.0486946, 0.0030180000001109875, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (2, 'sub_695f2c2a89500f80bb043c21', 'evt_01a227c222ca8286b990e2d8f3f4dc34', 1, 1, '7', 1795963364.0492857, 0.01179212700003518, false, 500, 'http://127.0.0.1:18181 answers with status 500', '');
INSERT INTO public.attempts VALUES (3, 'sub_config_wiki', 'evt_01a227c226de66194ff016cea5897b31', 2, 1, '7', 1795963365.0937772, 0.001367422999919654, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (4, 'sub_config_wiki', 'evt_01a227c22aded3d1068974887259f63c', 3, 1, '30', 1795963366.1219428, 0.0017021599999225145, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (5, 'sub_config_wiki', 'evt_01a227c22adeb89051d1aa27f6161f52', 6, 1, '31', 1795963366.123374, 0.00047211899982357863, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (6, 'sub_config_wiki', 'evt_01a227c22ade5fa0b8de76c1f911fd9e', 4, 1, '30', 1795963366.124271, 0.0005023190001338662, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (7, 'sub_config_wiki', 'evt_01a227c22adede727a0b2aaed249b82c', 5, 1, '8', 1795963366.1229188, 0.0022218149999844172, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (8, 'sub_config_wiki', 'evt_01a227c22ade3f4a3224b8e9fb2abdbd', 7, 1, '31', 1795963366.1250432, 0.0055511310001747916, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (9, 'sub_695f2c2a89500f80bb043c21', 'evt_01a227c22aded3d1068974887259f63c', 3, 1, '30', 1795963366.1223292, 0.0009658599999511353, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (10, 'sub_695f2c2a89500f80bb043c21', 'evt_01a227c22ade5fa0b8de76c1f911fd9e', 4, 1, '30', 1795963366.1239254, 0.0005821839999953227, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (11, 'sub_695f2c2a89500f80bb043c21', 'evt_01a227c22adeb89051d1aa27f6161f52', 6, 1, '31', 1795963366.1252081, 0.004859852999970826, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (12, 'sub_695f2c2a89500f80bb043c21', 'evt_01a227c22adede727a0b2aaed249b82c', 5, 1, '8', 1795963366.124918, 0.006089154000164854, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (13, 'sub_695f2c2a89500f80bb043c21', 'evt_01a227c22ade3f4a3224b8e9fb2abdbd', 7, 1, '31', 1795963366.1301067, 0.001202886000100989, true, 200, NULL, '');
INSERT INTO public.attempts VALUES (14, 'sub_695f2c2a89500f80bb043c21', 'evt_01a227c222ca8286b990e2d8f3f4dc34', 1, 1, '7', 1795963369.2896724, 0.005525011000145241, false, 500, 'http://127.0.0.1:18181 answers with status 500', '');


--
-- Data for Name: deliveries; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.deliveries VALUES (2, 'sub_695f2c2a89500f80bb043c21', 2, 'hq/7', 'evt_01a227c226de66194ff016cea5897b31', 'user.updated', 'hq', '7', 'held', 0, NULL, NULL, NULL, 1795963365.1477444, 1795963365.1477444);
INSERT INTO public.deliveries VALUES (1, 'sub_695f2c2a89500f80bb043c21', 1, 'hq/7', 'evt_01a227c222ca8286b990e2d8f3f4dc34', 'user.updated', 'hq', '7', 'parked', 2, 1795963662.8629615, 'http://127.0.0.1:18181 answers with status 500', 500, 1795963364.1016617, 1795963369.3385105);


--
-- Data for Name: events; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.events VALUES (1, 'evt_01a227c222ca8286b990e2d8f3f4dc34', 'user.updated', 'hq', '7', NULL, 1795963364.0422013, NULL, '["mail"]', '{"object":{"id":"7","username":"u07","full_name":"Renamed Seven","distinguished_name":null,"emails":[{"address":"u07@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{"full_name":{"old":"Person 7 of Köln","new":"Renamed Seven"}}}');
INSERT INTO public.events VALUES (2, 'evt_01a227c226de66194ff016cea5897b31', 'user.updated', 'hq', '7', NULL, 1795963365.0865316, NULL, '["mail"]', '{"object":{"id":"7","username":"u07","full_name":"Renamed Seven","distinguished_name":null,"emails":[{"address":"seven@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{"emails":{"old":[{"address":"u07@example.org","is_verified":true,"is_preferred":true}],"new":[{"address":"seven@example.org","is_verified":true,"is_preferred":true}]}}}');
INSERT INTO public.events VALUES (3, 'evt_01a227c22aded3d1068974887259f63c', 'membership.removed', 'hq', '30', 'sales', 1795963366.1107898, NULL, '["sales"]', '{"object":null,"before":{"id":"30","username":"u30","full_name":"Person 30 of Köln","distinguished_name":null,"emails":[{"address":"u30@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO public.events VALUES (4, 'evt_01a227c22ade5fa0b8de76c1f911fd9e', 'user.deleted', 'hq', '30', NULL, 1795963366.1107898, NULL, '["sales"]', '{"object":null,"before":{"id":"30","username":"u30","full_name":"Person 30 of Köln","distinguished_name":null,"emails":[{"address":"u30@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO public.events VALUES (5, 'evt_01a227c22adede727a0b2aaed249b82c', 'user.updated', 'hq', '8', NULL, 1795963366.1107898, NULL, '["sales"]', '{"object":{"id":"8","username":"u08","full_name":"Person 8 of Köln","distinguished_name":null,"emails":[{"address":"eight@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{"emails":{"old":[{"address":"u08@example.org","is_verified":true,"is_preferred":true}],"new":[{"address":"eight@example.org","is_verified":true,"is_preferred":true}]}}}');
INSERT INTO public.events VALUES (6, 'evt_01a227c22adeb89051d1aa27f6161f52', 'user.created', 'hq', '31', NULL, 1795963366.1107898, NULL, '["mail"]', '{"object":{"id":"31","username":"u31","full_name":"Person 31 of Köln","distinguished_name":null,"emails":[{"address":"u31@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');
INSERT INTO public.events VALUES (7, 'evt_01a227c22ade3f4a3224b8e9fb2abdbd', 'membership.added', 'hq', '31', 'mail', 1795963366.1107898, NULL, '["mail"]', '{"object":{"id":"31","username":"u31","full_name":"Person 31 of Köln","distinguished_name":null,"emails":[{"address":"u31@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"},"changed":{}}');


--
-- Data for Name: failed_logins; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.failed_logins VALUES ('archive', 'u06', '127.0.0.1', '80ecd28a3ec11ac1fd93210a39dfaa945b22cb6d0a15f4941a1c4602f8bb30e6', 1795963368.7095838);
INSERT INTO public.failed_logins VALUES ('archive', 'u06', '127.0.0.1', '01d7cbe2afa4f0d72a5228c433040fb22db41c7a9bd26af366b27461253de547', 1795963368.7213633);


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

INSERT INTO public.held_runs VALUES (1, 'branch', 'held', '18 of 30 people (60 %) would be deleted. The limit is 20 % and 10', '49e0931352948d06b27bbfd69da78cd0e753cabb361ff81613375d30e22a9947', 7, 1795963369.151069, 1795963370.216257, '{"created":0,"updated":0,"deleted":18,"due":0,"disabled":0,"regrouped":0}', 'a6d6b4f2b2f0bdc5244fff690469dc2658bd84efa2def3e4fe787eb02522aa80', '["1-7802132d3bf73c5a", 565, 1795959768725054502, 1795963368724946310, 2216858]');


--
-- Data for Name: index_generations; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.index_generations VALUES (2, 'branch', 1795963368.7286701, 1795963368.7333467);


--
-- Data for Name: journal_state; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.journal_state VALUES (1, 7, 0);


--
-- Data for Name: leases; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.leases VALUES ('watch/hq', 'vm:32217:dba15219', 1, 0);
INSERT INTO public.leases VALUES ('watch/branch', 'vm:32217:9a19b275', 1, 0);
INSERT INTO public.leases VALUES ('prune', 'vm:32217:9f7d0fbb', 1, 0);
INSERT INTO public.leases VALUES ('subscription/sub_695f2c2a89500f80bb043c21', 'vm:32217:ef94f693', 1, 0);
INSERT INTO public.leases VALUES ('subscription/sub_config_wiki', 'vm:32217:ef94f693', 1, 0);


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

INSERT INTO public.name_lists VALUES (1, 'archive', 'released', 1795963360.831362, 1795963360.831362, 30, '620ef7db9d0641a1d225bac5a9f7f73576dfaaf0f1c6b8dd04d094400028b548', '\x78010dca3901c0301003b0423a3b7d81857f3568d39e1c7bcae2e4e2e6e1e53b76062f5ebc78f1e2c58b17af5ebd7af5ead5ab57af5ebd353f0450199f', '[["hq", 30]]', '\x7801030000000001', 0, '');
INSERT INTO public.name_lists VALUES (2, 'archive', 'released', 1795963368.6719077, 1795963368.6719077, 30, 'a9e69c7297d3a7505a2bd10095c7b774f4919bd8dda5e2ddd7417f4b226db67b', '\x78010dcab10180200003304ea245510fe37f3364cb99196796c5c5cde6e1e51b27132f5ebc78f1e2c58b17af5ebd7af5ead5ab57af5ebd951f045119a0', '[["hq", 30]]', '\x7801030000000001', 0, '');
INSERT INTO public.name_lists VALUES (3, 'branch', 'released', 1795963368.6881313, 1795963368.6881313, 30, '32a7b17202a98b67ecd201063a3f3c4a44ab9f6ff3ea93ba299af613169fc786', '\x78010dcec111c4201003c18b680a096c201de71fc4cd67f6a5aefd46c8ef1ba57632ed62d987c7bebc76b3ede1d8cbfd7d1964781cbb4e89f34ce23e8b08e4210a79894436d1c82122b944a583aa3454a5fea0d24955baa84a1faad297aa7453951eaad24b55e6608e3f50fe2701', '[["branch", 30]]', '\x7801030000000001', 0, '');
INSERT INTO public.name_lists VALUES (4, 'branch', 'held', 1795963368.7357533, 1795963368.7357533, 12, '76587b8e4712fb587ff9d1900b3edb6f52eac299c22d53a14674f315b5eae5e0', '\x78010dcbb91100200cc4402ad2f80ce669c7fd17c125ab481d42a323493b9976b16c5176b3ede1d8cbb58f375a81c2f1ec5b89f20322e20e77', '[["branch", 12]]', '\x7801030000000001', 18, '18 of 30 names that were listed before are missing');


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
INSERT INTO public.people VALUES (5, 'hq', '5', '\x47b0e40b7aedd1157bce9f48641fcbc0', '{"id":"5","username":"u05","full_name":"Person 5 of Köln","distinguished_name":null,"emails":[{"address":"u05@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
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
INSERT INTO public.people VALUES (26, 'hq', '26', '\x2ed694671f23dbccb5a0afd21aa66c88', '{"id":"26","username":"u26","full_name":"Person 26 of Köln","distinguished_name":null,"emails":[{"address":"u26@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (27, 'hq', '27', '\x88455113f9ed59d5120a19889766be2c', '{"id":"27","username":"u27","full_name":"Person 27 of Köln","distinguished_name":null,"emails":[{"address":"u27@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (28, 'hq', '28', '\xb38669e22c8793c82341dc2a5ad61aab', '{"id":"28","username":"u28","full_name":"Person 28 of Köln","distinguished_name":null,"emails":[{"address":"u28@example.org","is_verified":true,"is_preferred":true}],"groups":["sales"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (29, 'hq', '29', '\xe7079471c132370f0f721c601bb9f286', '{"id":"29","username":"u29","full_name":"Person 29 of Köln","distinguished_name":null,"emails":[{"address":"u29@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (31, 'branch', '1', '\x3d5f16564c834b9812fc1a2cec8ee54d', '{"id":"1","username":"b01.1","full_name":"Branch person 1","distinguished_name":null,"emails":[{"address":"b01@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (32, 'branch', '2', '\x78d31a6285739c70a7c20eb1cfe6911e', '{"id":"2","username":"b02.2","full_name":"Branch person 2","distinguished_name":null,"emails":[{"address":"b02@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (33, 'branch', '3', '\x0ec10568feaed86538197dc5984bc3e4', '{"id":"3","username":"b03.3","full_name":"Branch person 3","distinguished_name":null,"emails":[{"address":"b03@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (34, 'branch', '4', '\xab23dcea6bea1ae79bcc4dc1dc1f9c4e', '{"id":"4","username":"b04.4","full_name":"Branch person 4","distinguished_name":null,"emails":[{"address":"b04@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (35, 'branch', '5', '\xe9e91c8dcea4cca94bd3fdf4a474a357', '{"id":"5","username":"b05.5","full_name":"Branch person 5","distinguished_name":null,"emails":[{"address":"b05@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (36, 'branch', '6', '\x31a55ceda6a99a07b973fdb8fb4e9b42', '{"id":"6","username":"b06.6","full_name":"Branch person 6","distinguished_name":null,"emails":[{"address":"b06@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (37, 'branch', '7', '\x9930555442f046234b77cb8485b951a9', '{"id":"7","username":"b07.7","full_name":"Branch person 7","distinguished_name":null,"emails":[{"address":"b07@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (38, 'branch', '8', '\x53c34227c83b3767982be26975aae911', '{"id":"8","username":"b08.8","full_name":"Branch person 8","distinguished_name":null,"emails":[{"address":"b08@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (39, 'branch', '9', '\xa6c9ce665f4acf9b1328e8dac16ae1c4', '{"id":"9","username":"b09.9","full_name":"Branch person 9","distinguished_name":null,"emails":[{"address":"b09@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (40, 'branch', '10', '\xed508e64cb5a151e7b0460815e4da55d', '{"id":"10","username":"b10.10","full_name":"Branch person 10","distinguished_name":null,"emails":[{"address":"b10@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (41, 'branch', '11', '\x5a9f6fe4946f70249e6e7b2f9a7c24d3', '{"id":"11","username":"b11.11","full_name":"Branch person 11","distinguished_name":null,"emails":[{"address":"b11@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (42, 'branch', '12', '\x42200c280860cd08be601b76ad1abde0', '{"id":"12","username":"b12.12","full_name":"Branch person 12","distinguished_name":null,"emails":[{"address":"b12@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (43, 'branch', '13', '\x9fabd8ff90e713395ad0a24e31fc8224', '{"id":"13","username":"b13.13","full_name":"Branch person 13","distinguished_name":null,"emails":[{"address":"b13@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (44, 'branch', '14', '\xa347831aa902e06977bc696441ec7637', '{"id":"14","username":"b14.14","full_name":"Branch person 14","distinguished_name":null,"emails":[{"address":"b14@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (45, 'branch', '15', '\x3b18278a68de59c4cf61fd73e904b7d5', '{"id":"15","username":"b15.15","full_name":"Branch person 15","distinguished_name":null,"emails":[{"address":"b15@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (46, 'branch', '16', '\x5f9d91055aaf6b771187a9df0e42da5a', '{"id":"16","username":"b16.16","full_name":"Branch person 16","distinguished_name":null,"emails":[{"address":"b16@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (47, 'branch', '17', '\x5ced5625a39b78cf811933f982ffe821', '{"id":"17","username":"b17.17","full_name":"Branch person 17","distinguished_name":null,"emails":[{"address":"b17@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (48, 'branch', '18', '\xc97f95dcadc584f3ac3f3fb248bd0f09', '{"id":"18","username":"b18.18","full_name":"Branch person 18","distinguished_name":null,"emails":[{"address":"b18@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (49, 'branch', '19', '\x4b0b29b481a655c775ef53273e45496c', '{"id":"19","username":"b19.19","full_name":"Branch person 19","distinguished_name":null,"emails":[{"address":"b19@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (50, 'branch', '20', '\xa2d5f444fc342fad676ddf1325bac26b', '{"id":"20","username":"b20.20","full_name":"Branch person 20","distinguished_name":null,"emails":[{"address":"b20@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (51, 'branch', '21', '\xc3f68523fb303d9ddf107aebf5e45183', '{"id":"21","username":"b21.21","full_name":"Branch person 21","distinguished_name":null,"emails":[{"address":"b21@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (52, 'branch', '22', '\x526069872a868dc49f1412ea0c7e87fb', '{"id":"22","username":"b22.22","full_name":"Branch person 22","distinguished_name":null,"emails":[{"address":"b22@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (53, 'branch', '23', '\x7f97e9094f655ccfc5c1aee1d71b2917', '{"id":"23","username":"b23.23","full_name":"Branch person 23","distinguished_name":null,"emails":[{"address":"b23@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (54, 'branch', '24', '\x509e345405b1871e34ca7b515c9e456d', '{"id":"24","username":"b24.24","full_name":"Branch person 24","distinguished_name":null,"emails":[{"address":"b24@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (55, 'branch', '25', '\xdbc3a0582d773b4a2e26b47e0b455c3b', '{"id":"25","username":"b25.25","full_name":"Branch person 25","distinguished_name":null,"emails":[{"address":"b25@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (56, 'branch', '26', '\x0f62273c4109f7777bcd19fd213eba9c', '{"id":"26","username":"b26.26","full_name":"Branch person 26","distinguished_name":null,"emails":[{"address":"b26@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (57, 'branch', '27', '\x298f0fb3c1132ab1b3c4e96a7a6904b1', '{"id":"27","username":"b27.27","full_name":"Branch person 27","distinguished_name":null,"emails":[{"address":"b27@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (58, 'branch', '28', '\x9bfb02d6e4041523cdc2a3f88f546fca', '{"id":"28","username":"b28.28","full_name":"Branch person 28","distinguished_name":null,"emails":[{"address":"b28@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (59, 'branch', '29', '\xcda4a1302c79110ad22bfa5045846090', '{"id":"29","username":"b29.29","full_name":"Branch person 29","distinguished_name":null,"emails":[{"address":"b29@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (60, 'branch', '30', '\x29c5604a126530822a8218874d0113a9', '{"id":"30","username":"b30.30","full_name":"Branch person 30","distinguished_name":null,"emails":[{"address":"b30@branch.example.org","is_verified":true,"is_preferred":true}],"groups":[],"nickname":null,"biography":null,"tz":null,"state":"active"}', 0, NULL);
INSERT INTO public.people VALUES (7, 'hq', '7', '\x7d54bbfe940036a84ebfc8c6cea7adfa', '{"id":"7","username":"u07","full_name":"Renamed Seven","distinguished_name":null,"emails":[{"address":"seven@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 2, NULL);
INSERT INTO public.people VALUES (61, 'hq', '31', '\x78be34944d74f02fc2a331c28255cb23', '{"id":"31","username":"u31","full_name":"Person 31 of Köln","distinguished_name":null,"emails":[{"address":"u31@example.org","is_verified":true,"is_preferred":true}],"groups":["mail"],"nickname":null,"biography":null,"tz":null,"state":"active"}', 7, NULL);


--
-- Data for Name: subscriptions; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.subscriptions VALUES ('sub_config_wiki', 'config', 'wiki', 'webhook', '{"kind":"all"}', '["*"]', '{"url":"http://127.0.0.1:18181/wiki","secret":"whsec_b2xkIHN0b3JlcyBhcmUgb3BlbmVkIGJ5IG5ldyBjb2Rl"}', '[]', 1, NULL, false, true, 'ok', NULL, 1795963360.793679, 1795963360.793679, 7, NULL, NULL, NULL, 0, NULL, 0);
INSERT INTO public.subscriptions VALUES ('sub_695f2c2a89500f80bb043c21', 'tok_a8e224894669f6428621fdf0', 'crm', 'webhook', '{"kind":"all"}', '["*"]', '{"type":"webhook","url":"http://127.0.0.1:18181/crm"}', '[{"secret":"whsec_Nq+aUSOEi4klxXlAV8esg5VTVHQ6nkcPZSs1yWPevnY=","until":null}]', 1, NULL, false, true, 'ok', NULL, 1795963363.1384728, 1795963363.1384728, 7, NULL, NULL, 1795963369.295238, 0, NULL, 0);


--
-- Data for Name: tokens; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.tokens VALUES ('tok_a8e224894669f6428621fdf0', 'reader', '8978cd7ccf8330494c3b77d59f387957f57be5c788474abaa48cd6f631ecc2df', '["events:read", "subscriptions:write", "sync:admin"]', '[{"kind": "all"}]', 1795963358.439551, NULL, NULL, 1795963363.1227798);


--
-- Data for Name: watches; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.watches VALUES ('hq', 1795963360.8517597, '7d6e6da960505082191f3200adaa77fc7e8c65c67e00873f19cc73b844012dd2', '["1-cb79eed2404beb37", 4709, 1795959766050127029, 1795963366050061142, 2216857]', 1795963367.1378422, 0.007443710999950781, 30, NULL, NULL, NULL, false);
INSERT INTO public.watches VALUES ('branch', 1795963360.9031134, 'a6d6b4f2b2f0bdc5244fff690469dc2658bd84efa2def3e4fe787eb02522aa80', '["1-7802132d3bf73c5a", 1411, 1795959757908918380, 1795963357908902661, 2216858]', 1795963370.2221515, 0.030900363999990077, 30, NULL, NULL, NULL, false);


--
-- Name: attempts_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.attempts_id_seq', 14, true);


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
-- Name: name_lists_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.name_lists_id_seq', 4, true);


--
-- Name: people_key_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.people_key_seq', 61, true);


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: attempts pk_attempts; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT pk_attempts PRIMARY KEY (id);


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
-- Name: index_generations pk_index_generations; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.index_generations
    ADD CONSTRAINT pk_index_generations PRIMARY KEY (id);


--
-- Name: journal_state pk_journal_state; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.journal_state
    ADD CONSTRAINT pk_journal_state PRIMARY KEY (id);


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
-- Name: held_runs uq_held_runs_backend; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.held_runs
    ADD CONSTRAINT uq_held_runs_backend UNIQUE (backend);


--
-- Name: people uq_people_backend; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.people
    ADD CONSTRAINT uq_people_backend UNIQUE (backend, person_id);


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
-- Name: ix_attempts_subscription; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_attempts_subscription ON public.attempts USING btree (subscription_id, id);


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
-- Name: ix_index_generations_backend; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_index_generations_backend ON public.index_generations USING btree (backend);


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


