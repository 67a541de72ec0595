package interop;

import static interop.Checks.check;
import static interop.Checks.holds;
import static interop.Checks.same;

import com.fasterxml.jackson.databind.ObjectMapper;
import de.captaingoldfish.scim.sdk.client.ScimClientConfig;
import de.captaingoldfish.scim.sdk.client.ScimRequestBuilder;
import de.captaingoldfish.scim.sdk.client.builder.BulkBuilder;
import de.captaingoldfish.scim.sdk.client.response.ServerResponse;
import de.captaingoldfish.scim.sdk.common.constants.enums.Comparator;
import de.captaingoldfish.scim.sdk.common.constants.enums.HttpMethod;
import de.captaingoldfish.scim.sdk.common.constants.enums.PatchOp;
import de.captaingoldfish.scim.sdk.common.constants.enums.SortOrder;
import de.captaingoldfish.scim.sdk.common.etag.ETag;
import de.captaingoldfish.scim.sdk.common.resources.Group;
import de.captaingoldfish.scim.sdk.common.resources.ServiceProvider;
import de.captaingoldfish.scim.sdk.common.resources.User;
import de.captaingoldfish.scim.sdk.common.resources.base.ScimObjectNode;
import de.captaingoldfish.scim.sdk.common.resources.complex.Name;
import de.captaingoldfish.scim.sdk.common.resources.multicomplex.Email;
import de.captaingoldfish.scim.sdk.common.resources.multicomplex.Member;
import de.captaingoldfish.scim.sdk.common.response.BulkResponse;
import de.captaingoldfish.scim.sdk.common.response.BulkResponseOperation;
import de.captaingoldfish.scim.sdk.common.response.ListResponse;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/** The SCIM-SDK client (the one that SCIM for Keycloak comes from) against one directory: what it asks, and bulk above all. */
public final class Goldfish {
  private static final String USERS = "/Users";
  private static final String GROUPS = "/Groups";
  private static final ObjectMapper JSON = new ObjectMapper();

  private final ScimRequestBuilder scim;
  private final ServiceProvider config;

  private Goldfish(ScimRequestBuilder scim) {
    this.scim = scim;
    this.config = scim.loadServiceProviderConfiguration();
  }

  public static void main(String[] arguments) {
    ScimClientConfig settings =
        ScimClientConfig.builder()
            .httpHeaders(Map.of("Authorization", "Bearer " + Checks.environment("TOKEN")))
            .build();
    try (ScimRequestBuilder scim = new ScimRequestBuilder(Checks.environment("BASE_URL"), settings)) {
      Goldfish suite = new Goldfish(scim);
      suite.lifecycle();
      suite.queries();
      suite.groups();
      suite.bulk();
    }
  }

  private static User user(String userName) {
    return User.builder()
        .userName(userName)
        .name(Name.builder().givenName("Given").familyName("Family").build())
        .displayName("Display " + userName)
        .emails(List.of(Email.builder().value(userName + "@work.example").type("work").primary(true).build()))
        .active(true)
        .build();
  }

  private User create(String userName) {
    return good(201, scim.create(User.class, USERS).setResource(user(userName)).sendRequest());
  }

  private void lifecycle() {
    check("discovery: ServiceProviderConfig and the meta configuration", () -> {
      holds("patch is supported", config.getPatchConfig().isSupported());
      ServerResponse<?> meta = scim.loadMetaConfiguration().sendRequest();
      holds(meta.getResponseBody(), meta.isSuccess());
    });
    check("users: create, get, update, patch, delete", () -> {
      User created = create("gf-life");
      String id = created.getId().orElseThrow();
      same("gf-life", good(200, scim.get(User.class, USERS, id).sendRequest()).getUserName().orElseThrow());
      created.setDisplayName("Updated");
      User updated = good(200, scim.update(User.class, USERS, id).setResource(created).sendRequest());
      same("Updated", updated.getDisplayName().orElseThrow());
      User patched =
          good(
              200,
              scim.patch(User.class, USERS, id)
                  .addOperation()
                  .path("emails[type eq \"work\"].value")
                  .op(PatchOp.REPLACE)
                  .value("patched@work.example")
                  .next()
                  .path("nickName")
                  .op(PatchOp.ADD)
                  .value("Nick")
                  .next()
                  .path("name.givenName")
                  .op(PatchOp.REMOVE)
                  .build()
                  .sendRequest());
      same("patched@work.example", patched.getEmails().get(0).getValue().orElseThrow());
      same("Nick", patched.getNickName().orElseThrow());
      holds("the given name is gone", patched.getName().orElseThrow().getGivenName().isEmpty());
      same(204, scim.delete(User.class, USERS, id).sendRequest().getHttpStatus());
      same(404, scim.get(User.class, USERS, id).sendRequest().getHttpStatus());
    });
    check("users: ETag in If-None-Match and If-Match", () -> {
      User created = create("gf-etag");
      String id = created.getId().orElseThrow();
      ETag version = created.getMeta().orElseThrow().getVersion().orElseThrow();
      same(304, scim.get(User.class, USERS, id).setETagForIfNoneMatch(version).sendRequest().getHttpStatus());
      created.setTitle("First");
      User updated =
          good(200, scim.update(User.class, USERS, id).setETagForIfMatch(version).setResource(created).sendRequest());
      holds("another version", !version.equals(updated.getMeta().orElseThrow().getVersion().orElseThrow()));
      created.setTitle("Second");
      same(412, scim.update(User.class, USERS, id).setETagForIfMatch(version).setResource(created).sendRequest().getHttpStatus());
      same(412, scim.delete(User.class, USERS, id).setETagForIfMatch(version).sendRequest().getHttpStatus());
    });
    check("errors: a user who is there is a conflict in SCIM's own form", () -> {
      create("gf-twice");
      ServerResponse<User> again = scim.create(User.class, USERS).setResource(user("gf-twice")).sendRequest();
      same(409, again.getHttpStatus());
      same("uniqueness", again.getErrorResponse().getScimType().orElseThrow());
      same(409, again.getErrorResponse().getStatus());
    });
  }

  private void queries() {
    check("queries: filter built by the client, GET and POST", () -> {
      for (int index = 0; index < 7; index++) create("gf-query-" + index);
      var request =
          scim.list(User.class, USERS)
              .filter("userName", Comparator.SW, "gf-query-")
              .and(true, "userName", Comparator.EQ, "gf-query-1")
              .or("userName", Comparator.EQ, "gf-query-2")
              .closeParenthesis()
              .build();
      same(List.of("gf-query-1", "gf-query-2"), List.copyOf(names(good(200, request.get().sendRequest()))));
      same(List.of("gf-query-1", "gf-query-2"), List.copyOf(names(good(200, request.post().sendRequest()))));
    });
    check("queries: getAll finds everybody", () -> {
      // Not by good(): an answer that the client put together from pages knows no headers.
      ListResponse<User> all =
          scim.list(User.class, USERS).filter("userName", Comparator.SW, "gf-query-").build().get().getAll().getResource();
      same(7, all.getListedResources().size());
      same(7, names(all).size());
    });
    check("queries: attributes", () -> {
      ListResponse<User> some =
          good(200, scim.list(User.class, USERS).attributes("userName").filter("userName sw \"gf-query-\"").get().sendRequest());
      holds("no display name", some.getListedResources().stream().allMatch(each -> each.getDisplayName().isEmpty()));
    });
    check("queries: sorted, descending", () -> {
      if (!config.getSortConfig().isSupported()) throw new Checks.Skipped("the server says that it does not sort");
      ListResponse<User> sorted =
          good(
              200,
              scim.list(User.class, USERS)
                  .sortBy("userName")
                  .sortOrder(SortOrder.DESCENDING)
                  .filter("userName sw \"gf-query-\"")
                  .get()
                  .sendRequest());
      same("gf-query-6", sorted.getListedResources().get(0).getUserName().orElseThrow());
    });
  }

  private void groups() {
    check("groups: members", () -> {
      String one = create("gf-member-1").getId().orElseThrow();
      String two = create("gf-member-2").getId().orElseThrow();
      Group group = Group.builder().displayName("gf group").members(List.of(Member.builder().value(one).build())).build();
      Group created = good(201, scim.create(Group.class, GROUPS).setResource(group).sendRequest());
      String id = created.getId().orElseThrow();
      ServerResponse<Group> patched =
          scim.patch(Group.class, GROUPS, id)
              // The answer may be 204 (RFC 7644 §3.5.2), and then has no type.
              .setExpectedResponseHeaders(Map.of())
              .addOperation()
              .path("members")
              .op(PatchOp.ADD)
              .valueNode(Member.builder().value(two).build())
              .next()
              .path("members[value eq \"" + one + "\"]")
              .op(PatchOp.REMOVE)
              .build()
              .sendRequest();
      holds(patched.getHttpStatus() + " " + patched.getResponseBody(), patched.isSuccess());
      Group read = good(200, scim.get(Group.class, GROUPS, id).sendRequest());
      same(List.of(two), read.getMembers().stream().map(each -> each.getValue().orElseThrow()).toList());
    });
  }

  private void bulk() {
    check("bulk: references in any order", () -> {
      BulkResponse response = send(bulkOf(), builder -> {
        operation(builder, HttpMethod.POST, GROUPS, "g", Map.of("schemas", List.of("urn:ietf:params:scim:schemas:core:2.0:Group"), "displayName", "gf bulk group", "members", List.of(Map.of("value", "bulkId:u1"), Map.of("value", "bulkId:u2"))));
        operation(builder, HttpMethod.POST, USERS, "u1", user("gf-bulk-1"));
        operation(builder, HttpMethod.POST, USERS, "u2", user("gf-bulk-2"));
      });
      for (BulkResponseOperation each : response.getBulkResponseOperations()) same(201, each.getStatus());
      ListResponse<Group> groups =
          good(200, scim.list(Group.class, GROUPS).filter("displayName eq \"gf bulk group\"").get().sendRequest());
      same(2, groups.getListedResources().get(0).getMembers().size());
    });
    check("bulk: update, patch and delete with their versions", () -> {
      User changed = create("gf-bulk-change");
      User gone = create("gf-bulk-gone");
      String id = changed.getId().orElseThrow();
      BulkResponse response = send(bulkOf(), builder -> {
        operation(builder, HttpMethod.PATCH, USERS + "/" + id, null, Map.of("schemas", List.of("urn:ietf:params:scim:api:messages:2.0:PatchOp"), "Operations", List.of(Map.of("op", "replace", "path", "title", "value", "Bulk"))));
        operation(builder, HttpMethod.DELETE, USERS + "/" + gone.getId().orElseThrow(), null, null);
      });
      same(List.of(200, 204), response.getBulkResponseOperations().stream().map(BulkResponseOperation::getStatus).toList());
      same("Bulk", good(200, scim.get(User.class, USERS, id).sendRequest()).getTitle().orElseThrow());
      same(404, scim.get(User.class, USERS, gone.getId().orElseThrow()).sendRequest().getHttpStatus());
    });
    check("bulk: one error stops nothing, failOnErrors stops the rest", () -> {
      create("gf-bulk-there");
      BulkResponse all = send(bulkOf(), builder -> {
        operation(builder, HttpMethod.POST, USERS, "a", user("gf-bulk-there"));
        operation(builder, HttpMethod.POST, USERS, "b", user("gf-bulk-new-1"));
      });
      same(List.of(409, 201), all.getBulkResponseOperations().stream().map(BulkResponseOperation::getStatus).toList());
      BulkResponse stopped = send(bulkOf().failOnErrors(1), builder -> {
        operation(builder, HttpMethod.POST, USERS, "a", user("gf-bulk-there"));
        operation(builder, HttpMethod.POST, USERS, "b", user("gf-bulk-new-2"));
      });
      same(List.of(409), stopped.getBulkResponseOperations().stream().map(BulkResponseOperation::getStatus).toList());
      same(0L, good(200, scim.list(User.class, USERS).filter("userName eq \"gf-bulk-new-2\"").get().sendRequest()).getTotalResults());
    });
  }

  private BulkBuilder bulkOf() {
    if (!config.getBulkConfig().isSupported()) throw new Checks.Skipped("the server says that it has no bulk");
    return scim.bulk();
  }

  private static void operation(BulkBuilder builder, HttpMethod method, String path, String bulkId, Object data) {
    var operation = builder.bulkRequestOperation(path).method(method).bulkId(bulkId);
    if (data != null) operation.data(data instanceof ScimObjectNode node ? node : JSON.valueToTree(data));
    operation.next();
  }

  private static BulkResponse send(BulkBuilder builder, java.util.function.Consumer<BulkBuilder> fill) {
    fill.accept(builder);
    return good(200, builder.sendRequest());
  }

  private static TreeSet<String> names(ListResponse<User> list) {
    TreeSet<String> names = new TreeSet<>();
    for (User each : list.getListedResources()) names.add(each.getUserName().orElseThrow());
    return names;
  }

  /** The resource of an answer that the client itself finds right, with the headers that it wants. */
  private static <T extends ScimObjectNode> T good(int status, ServerResponse<T> response) {
    holds("expected " + status + ", found " + response.getHttpStatus() + " " + response.getResponseBody(), response.getHttpStatus() == status);
    holds("the client finds the answer valid: " + response.getHttpHeaders(), response.isValidScimResponse());
    return response.getResource();
  }
}
