"""scim2-client as the client of one directory, with models that it learns from the server's own schemas.

scim2-models evaluates filters, orders and PATCH requests by itself: what the server answers should be what it comes to.
"""

import os
import random
import re
from collections.abc import Callable

from httpx2 import Client
from scim2_client import Me
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import (
    BulkOperation,
    BulkRequest,
    ListResponse,
    PatchOp,
    PatchOperation,
    ResponseParameters,
    SCIMException,
    ScimFilter,
    SearchRequest,
)

from report import report

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
OWN = "urn:example:params:scim:schemas:extension:interop:2.0:User"
OWN_GROUP = "urn:example:params:scim:schemas:extension:interop:2.0:Group"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PEOPLE = 24

http = Client(
    base_url=os.environ["BASE_URL"], headers={"Authorization": f"Bearer {os.environ['TOKEN']}"}, timeout=30
)
scim = SyncSCIMClient(http)
scim.discover()
provider = scim.provider
User = scim.get_resource_model("User")
Group = scim.get_resource_model("Group")


class Skip(Exception):
    pass


def check(name: str, body: Callable[[], None]) -> None:
    try:
        body()
        report(name, "passed")
    except Skip as skip:
        report(name, "skipped", str(skip))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is why the check failed
        report(name, "failed", f"{type(error).__name__}: {error}")


def same(expected: object, found: object) -> None:
    if expected != found:
        raise AssertionError(f"expected {expected!r}, found {found!r}")


def refused(status: int, scim_type: str | None, body: Callable[[], object]) -> None:
    try:
        body()
    except SCIMException as error:
        same((status, scim_type), (error.to_error().status, error.to_error().scim_type))
        return
    raise AssertionError(f"expected {status}, found success")


def person(name: str, **more: object) -> object:
    body = {
        "schemas": [USER],
        "userName": name,
        "name": {"givenName": "Given", "familyName": f"Family {name}"},
        "emails": [{"value": f"{name}@work.example", "type": "work", "primary": True}],
        "active": True,
        **more,
    }
    return User.model_validate(body)


def facts(resource: object) -> dict:
    """As JSON, without what the server alone decides."""
    kept = resource.model_dump(exclude_none=True)
    for name in ("meta", "schemas"):
        kept.pop(name, None)
    return kept


def life() -> None:
    created = scim.create(person("py-life", **{ENTERPRISE: {"department": "Tours"}, OWN: {"floor": 3, "badge": "B1"}}))
    same(facts(created), facts(scim.query(User, created.id)))
    same(3, created[OWN].floor)
    created.display_name = "Replaced"
    created.emails = None
    replaced = scim.replace(created)
    same("Replaced", replaced.display_name)
    same(None, replaced.emails)
    scim.delete(replaced)
    refused(404, None, lambda: scim.query(User, created.id, raise_scim_errors=True))


def projection() -> None:
    created = scim.create(person("py-part", title="Guide"))
    some = scim.query(User, created.id, query_parameters=ResponseParameters[User](attributes=["userName"]))
    same(("py-part", None, None), (some.user_name, some.title, some.emails))
    rest = scim.query(User, created.id, query_parameters=ResponseParameters[User](excluded_attributes=["emails"]))
    same(("Guide", None), (rest.title, rest.emails))


def etags() -> None:
    created = scim.create(person("py-etag"))
    stale = created.meta.version
    created.title = "First"
    replaced = scim.replace(created)
    if replaced.meta.version == stale:
        raise AssertionError("a changed user has the version of before")
    created.title = "Second"
    created.meta.version = stale
    refused(412, None, lambda: scim.replace(created, raise_scim_errors=True))
    refused(412, None, lambda: scim.delete(created, raise_scim_errors=True))


def errors() -> None:
    scim.create(person("py-twice"))
    refused(409, "uniqueness", lambda: scim.create(person("PY-twice"), raise_scim_errors=True))
    bad = {"filter": "userName xx \"a\""}
    refused(
        400,
        "invalidFilter",
        lambda: scim.query(User, query_parameters=bad, check_request_payload=False, raise_scim_errors=True),
    )


PATCHES = {
    "add, simple": [("add", "nickName", "Nick")],
    "add to a list": [("add", "emails", [{"value": "n@home.example", "type": "home"}])],
    "add without a path": [("add", None, {"title": "Lead", "name": {"middleName": "M"}})],
    "add in an extension": [("add", f"{ENTERPRISE}:costCenter", "4130")],
    "add in an own extension": [("add", f"{OWN}:desk.room", "7b")],
    "replace, simple": [("replace", "displayName", "New")],
    "replace a sub-attribute": [("replace", "name.familyName", "New")],
    "replace by filter": [("replace", 'emails[type eq "work"].value', "w@new.example")],
    "replace a list": [("replace", "emails", [{"value": "only@x.example", "type": "other"}])],
    "remove, simple": [("remove", "title", None)],
    "remove by filter": [("remove", 'emails[type eq "home"]', None)],
    "remove a sub-attribute by filter": [("remove", 'emails[type eq "work"].display', None)],
    "remove an extension's attribute": [("remove", f"{ENTERPRISE}:department", None)],
    "several in their order": [
        ("add", "emails", [{"value": "o@x.example", "type": "other"}]),
        ("replace", 'emails[type eq "other"].value', "o2@x.example"),
        ("remove", 'emails[type eq "home"]', None),
        ("replace", "active", False),
    ],
}


def patched(user_name: str) -> object:
    return scim.create(
        person(
            user_name,
            title="Guide",
            emails=[
                {"value": f"{user_name}@work.example", "type": "work", "display": "W", "primary": True},
                {"value": f"{user_name}@home.example", "type": "home"},
            ],
            **{ENTERPRISE: {"department": "Tours", "employeeNumber": "7"}, OWN: {"floor": 1, "languages": ["en", "de"]}},
        )
    )


def patch_request(operations: list[tuple]) -> PatchOp:
    return PatchOp[User](
        operations=[
            PatchOperation[User](op=op, path=path, value=value) if value is not None else PatchOperation[User](op=op, path=path)
            for op, path, value in operations
        ]
    )


def patch(name: str, operations: list[tuple]) -> None:
    before = patched(f"py-patch-{re.sub('[^a-z]+', '-', name)}")
    request = patch_request(operations)
    expected = before.model_copy(deep=True)
    request.patch(expected)
    answered = scim.modify(User, before.id, request)
    same(facts(expected), facts(answered))
    same(facts(expected), facts(scim.query(User, before.id)))


def replace_nothing() -> None:
    before = patched("py-replace-nothing")
    request = patch_request([("replace", 'emails[type eq "other"].value', "o@x.example")])
    refused(400, "noTarget", lambda: scim.modify(User, before.id, request, raise_scim_errors=True))


MORE = [
    ("add", "emails", [{"value": "a@a.example", "type": "other"}, {"value": "b@b.example"}]),
    ("add", "emails", {"value": "c@c.example", "type": "home"}),
    ("add", "phoneNumbers", [{"value": "+1", "type": "work"}, {"value": "+2", "type": "mobile"}]),
    ("add", "name", {"middleName": "Quincy"}),
    ("add", 'emails[type eq "home"].display', "At home"),
    ("add", f"{OWN}:languages", ["fr"]),
    ("add", f"{OWN}:desk", {"building": "B"}),
    ("add", None, {"nickName": "N", "emails": [{"value": "d@d.example"}], ENTERPRISE: {"division": "D"}}),
    ("replace", "name", {"familyName": "Whole"}),
    ("replace", 'phoneNumbers[type eq "work"].value', "+3"),
    ("replace", 'emails[type eq "home"]', {"value": "r@r.example", "type": "home"}),
    ("replace", f"{OWN}:languages", ["it", "es"]),
    ("replace", None, {"title": "Boss", "name": {"givenName": "G"}, OWN: {"floor": 9}}),
    ("remove", "emails", None),
    ("remove", "name.middleName", None),
    ("remove", "name", None),
    ("remove", 'emails[value ew ".example" and not (type eq "work")]', None),
    ("remove", 'phoneNumbers[type eq "mobile"]', None),
    ("remove", f"{OWN}:languages", None),
    ("remove", f"{OWN}:desk.building", None),
    ("remove", "nickName", None),
]


def without_twins(resource: dict) -> dict:
    """RFC 7643 §2.4: no pair of type and value is returned twice. The library leaves both where a replace made them the same."""
    emails: dict = {}
    for email in resource.get("emails") or []:
        key = (email.get("type"), email.get("value"))
        emails[key] = {**emails.get(key, {}), **email}
    return {**resource, "emails": list(emails.values())} if emails else resource


def random_patches() -> None:
    """What the library refuses, the server should refuse too, and otherwise come to the same."""
    choose = random.Random(7644)
    pool = MORE + [operation for operations in PATCHES.values() for operation in operations]
    differing = []
    for index in range(80):
        before = patched(f"py-random-{index}")
        operations = choose.sample(pool, choose.randint(2, 6))
        request = patch_request(operations)
        expected = before.model_copy(deep=True)
        refusal = None
        try:
            request.patch(expected)
        except SCIMException as error:
            refusal = error.to_error().scim_type
            expected = before
        try:
            scim.modify(User, before.id, request, raise_scim_errors=True)
            answered = None
        except SCIMException as error:
            answered = error.to_error().scim_type
        found = facts(scim.query(User, before.id))
        if refusal == "noTarget" and answered is None:
            continue  # the check below this one
        wanted = without_twins(facts(expected))
        if refusal != answered or wanted != found:
            differing.append(f"{operations}: {refusal} {answered}; expected {wanted}, found {found}")
    if differing:
        raise AssertionError(f"{len(differing)} of 80, the first ones: " + "\n".join(differing[:4]))


def population() -> list:
    people = []
    for index in range(PEOPLE):
        extra: dict[str, object] = {
            "displayName": ["alpha", "Beta", "gamma", "Delta", "ähre"][index % 5] + str(index % 4),
            "externalId": f"{'E' if index % 2 else 'e'}{index}",
            OWN: {
                "floor": index % 6,
                "badge": f"{'b' if index % 2 else 'B'}{index // 2}",
                "languages": ["en", "fr"][: 1 + index % 2],
                "courses": [{"name": f"course {index % 3}", "level": index % 4}, {"name": "Basics", "level": 1}],
                "rate": index * 1.25,
                "homepage": f"https://Home.example/{'A' if index % 2 else 'a'}",
                "hiredAt": f"2020-01-{1 + index:02d}T0{index % 10}:00:00{('Z', '+02:00', '.250Z')[index % 3]}",
            },
        }
        if index % 3 == 0:
            extra["title"] = f"Title {index}"
        people.append(scim.create(person(f"pyq-{index:02d}", active=index % 4 != 0, **extra)))
    return people


FILTERS = [
    'userName eq "PYQ-03"',
    'externalId eq "E3"',
    'externalId eq "e3"',
    'displayName co "BETA"',
    'displayName sw "ä"',
    'displayName sw "a"',
    'displayName co "a"',
    'displayName ew "a1"',
    'userName ew "1" or userName sw "yq"',
    'displayName gt "c"',
    "title pr",
    "not (title pr) and active eq true",
    "title eq null",
    "title ne null",
    'title ne "Title 3"',
    "active eq false or externalId sw \"e1\"",
    'emails[type eq "work" and value sw "pyq-1"]',
    'emails.value eq "PYQ-03@work.example"',
    f"{OWN}:floor le 2",
    f'{OWN}:badge eq "b3"',
    f'{OWN}:badge eq "B3"',
    f'{OWN}:languages eq "FR"',
    f"{OWN}:desk pr",
    f"{OWN}:courses[name eq \"COURSE 1\" and level ge 1]",
    f"{OWN}:courses[level gt 1 or name ew \"0\"]",
    f"{OWN}:courses.level eq 3",
    f"{OWN}:rate gt 12.5",
    f"{OWN}:rate eq 2.5",
    f"{OWN}:homepage ew \"/a\"",
    f"{OWN}:homepage eq \"https://Home.example/A\"",
    f"{OWN}:hiredAt lt \"2020-01-05T23:30:00-01:00\"",
    f"{OWN}:hiredAt ge \"2020-01-03T02:00:00.250Z\"",
    f'{USER}:userName eq "pyq-05"',
    'name.givenName eq "given" and name.familyName ew "7"',
    'id pr and meta.resourceType eq "User"',
    'schemas eq "urn:ietf:params:scim:schemas:core:2.0:User"',
]


def names(found: ListResponse) -> list[str]:
    return [user.user_name for user in found.resources or []]


def find(request: SearchRequest) -> ListResponse:
    return scim.query(User, query_parameters=request)


def agrees(people: list, text: str) -> None:
    parsed = ScimFilter[User](text)
    expected = sorted(user.user_name for user in people if parsed.match(user))
    same(expected, sorted(names(find(SearchRequest[User](filter=f'userName sw "pyq-" and ({text})', count=100)))))


def random_filters(people: list) -> None:
    choose = random.Random(9865)

    def tree(depth: int) -> str:
        kind = choose.randrange(4) if depth else 3
        if kind == 3:
            return choose.choice(FILTERS)
        if kind == 2:
            return f"not ({tree(depth - 1)})"
        return f"({tree(depth - 1)}) {('and', 'or')[kind]} ({tree(depth - 1)})"

    differing = []
    for _ in range(100):
        text = tree(3)
        try:
            agrees(people, text)
        except (AssertionError, SCIMException) as error:
            differing.append(f"{text}: {error}")
    same([], differing[:3])


def needs_sort() -> None:
    if not provider.config.sort.supported:
        raise Skip("the server says that it does not sort")


def sorts(people: list, by: str, order: str) -> None:
    needs_sort()
    request = SearchRequest[User](filter='userName sw "pyq-"', sort_by=by, sort_order=order, count=100)
    keys = [request.sort_value(user) for user in request.sort(people)]
    by_name = {user.user_name: user for user in people}
    same(keys, [request.sort_value(by_name[name]) for name in names(find(request))])


def search() -> None:
    found = scim.search(SearchRequest(filter='userName eq "pyq-07" or displayName eq "py group"'), raise_scim_errors=True)
    same(1, found.total_results)


def cursors() -> None:
    pagination = getattr(provider.config, "pagination", None)
    if pagination is None or not pagination.cursor:
        raise Skip("the server says that it has no cursors")
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = find(SearchRequest[User](filter='userName sw "pyq-"', count=5, cursor=cursor))
        seen += names(page)
        cursor = page.next_cursor
    same(PEOPLE, len(seen))
    same(PEOPLE, len(set(seen)))


def groups() -> None:
    one, two = scim.create(person("py-member-1")), scim.create(person("py-member-2"))
    group = scim.create(Group.model_validate({"displayName": "py group", "members": [{"value": one.id}]}))
    scim.modify(
        Group,
        group.id,
        PatchOp[Group](operations=[PatchOperation[Group](op="add", path="members", value=[{"value": two.id}])]),
    )
    same({one.id, two.id}, {member.value for member in scim.query(Group, group.id).members})
    same(["py group"], [each.display for each in scim.query(User, two.id).groups])
    scim.modify(
        Group,
        group.id,
        PatchOp[Group](operations=[PatchOperation[Group](op="remove", path=f'members[value eq "{one.id}"]')]),
    )
    same({two.id}, {member.value for member in scim.query(Group, group.id).members})
    scim.delete(Group, group.id)


GROUP_FILTERS = [
    'displayName eq "PYG 3"',
    'displayName co "1" or externalId pr',
    f"{OWN_GROUP}:level ge 2",
    f'{OWN_GROUP}:cost eq "C2" or {OWN_GROUP}:cost eq "c3"',
    f'{OWN_GROUP}:tags eq "Red"',
    f"{OWN_GROUP}:owner pr",
    f'{OWN_GROUP}:owner.name sw "own" and {OWN_GROUP}:owner.floor lt 5',
    "members pr",
    "not (members pr)",
]


def group_population() -> list:
    member = scim.create(person("py-group-member"))
    return [
        scim.create(
            Group.model_validate(
                {
                    "displayName": f"pyg {index}",
                    **({"externalId": f"G{index}"} if index % 2 else {}),
                    **({"members": [{"value": member.id}]} if index % 3 == 0 else {}),
                    OWN_GROUP: {
                        "level": index % 4,
                        "cost": f"{'C' if index % 2 else 'c'}{index}",
                        "tags": ["red", "green", "blue"][: index % 4],
                        **({"owner": {"name": f"Owner {index}", "floor": index}} if index > 4 else {}),
                    },
                }
            )
        )
        for index in range(9)
    ]


def group_query(request: SearchRequest, expected: list[str]) -> None:
    found = scim.query(Group, query_parameters=request)
    names = [group.display_name for group in found.resources or []]
    same(expected, names if request.sort_by else sorted(names))


def group_queries() -> None:
    groups = group_population()
    mine = 'displayName sw "pyg "'
    for text in GROUP_FILTERS:
        parsed = ScimFilter[Group](text)
        expected = sorted(group.display_name for group in groups if parsed.match(group))
        check(
            f"filter of groups: {text}",
            lambda text=text, expected=expected: group_query(
                SearchRequest[Group](filter=f"{mine} and ({text})"), expected
            ),
        )
    for by, key in {
        "displayName": lambda group: group.display_name,
        f"{OWN_GROUP}:cost": lambda group: group[OWN_GROUP].cost,
    }.items():
        request = SearchRequest[Group](filter=mine, sort_by=by, sort_order="descending")
        expected = [group.display_name for group in sorted(groups, key=key, reverse=True)]
        check(f"sort of groups: {by}", lambda request=request, expected=expected: group_query(request, expected))


def bulk() -> None:
    if not provider.config.bulk.supported:
        raise Skip("the server says that it has no bulk")
    request = BulkRequest[User | Group](
        operations=[
            BulkOperation[Group](
                method="POST",
                path="/Groups",
                bulk_id="group",
                data=Group.model_validate({"displayName": "py bulk", "members": [{"value": "bulkId:user"}]}),
            ),
            BulkOperation[User](method="POST", path="/Users", bulk_id="user", data=person("py-bulk")),
            BulkOperation[User](method="POST", path="/Users", bulk_id="again", data=person("py-bulk")),
        ]
    )
    answered = scim.bulk(request)
    same([201, 201, 409], [int(operation.status) for operation in answered.operations])
    found = scim.query(Group, query_parameters=SearchRequest[Group](filter='displayName eq "py bulk"'))
    same(1, len(found.resources[0].members))


def me() -> None:
    refused(501, None, lambda: scim.query(Me, raise_scim_errors=True))


def main() -> None:
    check("users: create, query, replace, delete", life)
    check("users: attributes and excludedAttributes", projection)
    check("users: the client's own ETags", etags)
    check("errors: uniqueness and invalidFilter", errors)
    for name, operations in PATCHES.items():
        check(f"patch: {name}", lambda name=name, operations=operations: patch(name, operations))
    check("patch: eighty random ones", random_patches)
    check("patch: a replace whose filter matches nothing is refused", replace_nothing)
    people = population()
    for text in FILTERS:
        check(f"filter: {text}", lambda text=text: agrees(people, text))
    check("filter: a hundred random ones", lambda: random_filters(people))
    for by in ("userName", "displayName", "externalId", "title", "meta.created", "emails.value", f"{OWN}:floor", f"{OWN}:badge", f"{OWN}:rate", f"{OWN}:hiredAt", f"{OWN}:languages", f"{OWN}:courses.name"):
        for order in ("ascending", "descending"):
            check(f"sort: {by} {order}", lambda by=by, order=order: sorts(people, by, order))
    check("search: POST .search of the whole directory", search)
    check("cursors: every page to the last", cursors)
    check("groups: members by PATCH", groups)
    group_queries()
    check("bulk: references in any order, an error among them", bulk)
    check("me: a directory is nobody", me)


main()
