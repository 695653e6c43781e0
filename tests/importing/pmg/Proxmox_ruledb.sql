SET client_encoding = 'SQL_ASCII';
BEGIN TRANSACTION;

COPY objectgroup (id, name, info, class) FROM stdin;
1	Blacklist		who
2	Whitelist		who
3	Sales		who
4	Spam (Level 3)		what
5	Spam (Level 5)		what
6	Virus		what
7	Dangerous Content		what
8	Quarantine		action
9	Block		action
10	Accept		action
11	Modify Spam Subject		action
12	Notify Admin		action
13	Office Hours		when
14	GreyExclusion	-	greylist
15	Not used		who
16	Partners of sales		who
17	Everybody wanted		who
18	Words		what
19	Disclaimer		action
20	Empty		who
\.

COPY object (id, objecttype, objectgroup_id, value) FROM stdin;
100	1001	1	\\x70657374406578616d706c652e6e6574
101	1002	1	spammer.example
102	1004	1	\\x3230332e302e3131332e302f3234
103	1000	1	.*@.*\\.bad\\.example
104	1000	1	\\x28617c62292e2a78406578616d706c655c2e6f7267
105	1001	2	friend@example.net
106	1003	2	\\x3139322e302e322e3434
107	1005	2	ldapgroup
108	1007	3	\\x73616c6573406578616d706c652e636f6d
109	3000	4	3
110	3000	5	\\x35
111	3001	6	\N
112	3004	7	\\x2e2a5c2e287662737c7069667c6c6e6b29
113	3003	7	content-type:application/x-ms-dos-executable
114	3002	7	\\x7375626a6563743a283f3d626164296c6f6f6b
115	4006	8	\N
116	4001	9	\N
117	4000	10	\N
118	4003	11	\\x7375626a6563743a5350414d3a205f5f5355424a4543545f5f
119	4002	12	__ADMIN__:x
120	2000	13	\\x3438302d393630
121	1004	14	198.51.100.0/24
122	1001	15	\\x6e6f626f6479406578616d706c652e6f7267
123	1002	16	partner.example
124	1008	17	\\x616c6c2e6578616d706c652e636f6d
125	3002	18	subject:cheap.*watches
126	4009	19	\\x74657874
127	3005	7	content-type:application/zip
128	3006	7	\\x2e2a5c2e657865
\.

COPY attribut (object_id, name, value) FROM stdin;
119	subject	notice
\.

COPY objectgroup_attributes (objectgroup_id, name, value) FROM stdin;
\.

COPY rule (id, name, priority, active, direction, count) FROM stdin;
200	Blacklist	98	1	0	0
201	Whitelist	85	1	0	0
202	Partners of sales	84	1	0	0
203	Level 3	80	1	0	0
204	Level 5	81	1	0	0
205	Viruses	96	1	2	0
206	Dangerous Files	93	1	0	0
207	Off	70	0	0	0
208	Outgoing	60	1	1	0
209	At night	50	1	0	0
210	Wanted	45	1	0	0
211	Words	44	1	0	0
212	Headers	43	1	0	0
213	Special	42	1	0	0
\.

COPY rule_attributes (rule_id, name, value) FROM stdin;
213	what-and	1
\.

COPY rulegroup (objectgroup_id, rule_id, grouptype) FROM stdin;
1	200	0
9	200	4
2	201	0
10	201	4
16	202	0
3	202	1
10	202	4
4	203	3
11	203	4
8	203	4
5	204	3
9	204	4
6	205	3
8	205	4
12	205	4
7	206	3
9	206	4
1	207	0
9	207	4
19	208	4
4	209	3
13	209	2
9	209	4
17	210	1
10	210	4
18	211	3
9	211	4
12	212	4
18	213	3
7	213	3
9	213	4
\.

COPY userprefs (pmail, name, data, mtime) FROM stdin;
marie@example.com	WL	aunt@example.net,*@club.example	1700000000
marie@example.com	BL	shop@example.org,	1700000000
marie@example.com	LANG	fr	1
nobody	WL	x@example.net	1
\.

COMMIT TRANSACTION;
