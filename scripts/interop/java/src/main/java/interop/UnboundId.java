package interop;

import static interop.Checks.check;
import static interop.Checks.holds;
import static interop.Checks.same;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.unboundid.scim2.client.ScimService;
import com.unboundid.scim2.common.GenericScimResource;
import com.unboundid.scim2.common.Path;
import com.unboundid.scim2.common.exceptions.BadRequestException;
import com.unboundid.scim2.common.exceptions.NotModifiedException;
import com.unboundid.scim2.common.exceptions.PreconditionFailedException;
import com.unboundid.scim2.common.exceptions.ResourceConflictException;
import com.unboundid.scim2.common.exceptions.ResourceNotFoundException;
import com.unboundid.scim2.common.exceptions.ScimException;
import com.unboundid.scim2.common.filters.Filter;
import com.unboundid.scim2.common.messages.ListResponse;
import com.unboundid.scim2.common.messages.PatchOperation;
import com.unboundid.scim2.common.messages.PatchRequest;
import com.unboundid.scim2.common.messages.SortOrder;
import com.unboundid.scim2.common.types.Email;
import com.unboundid.scim2.common.types.EnterpriseUserExtension;
import com.unboundid.scim2.common.types.GroupResource;
import com.unboundid.scim2.common.types.Member;
import com.unboundid.scim2.common.types.Name;
import com.unboundid.scim2.common.types.PhoneNumber;
import com.unboundid.scim2.common.types.ResourceTypeResource;
import com.unboundid.scim2.common.types.SchemaResource;
import com.unboundid.scim2.common.types.ServiceProviderConfigResource;
import com.unboundid.scim2.common.types.UserResource;
import com.unboundid.scim2.common.utils.JsonUtils;
import jakarta.ws.rs.client.Client;
import jakarta.ws.rs.client.ClientBuilder;
import jakarta.ws.rs.client.ClientRequestFilter;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.glassfish.jersey.apache5.connector.Apache5ConnectorProvider;
import org.glassfish.jersey.client.ClientConfig;

/** The UnboundID SCIM 2 SDK as the client of one directory. */
public final class UnboundId {
  private static final String ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
  private static final String GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group";

  private final ScimService scim;
  private final ServiceProviderConfigResource config;

  private UnboundId(ScimService scim) throws ScimException {
    this.scim = scim;
    this.config = scim.getServiceProviderConfig();
  }

  public static void main(String[] arguments) throws Exception {
    ClientRequestFilter bearer =
        request -> request.getHeaders().putSingle("Authorization", "Bearer " + Checks.environment("TOKEN"));
    try (Client http =
        ClientBuilder.newClient(new ClientConfig().connectorProvider(new Apache5ConnectorProvider()))
            .register(bearer)) {
      ScimService scim = new ScimService(http.target(Checks.environment("BASE_URL")));
      UnboundId suite = new UnboundId(scim);
      suite.discovery();
      suite.users();
      suite.patches();
      suite.groups();
      suite.errors();
      new UnboundIdQueries(scim, suite.config).run();
    }
  }

  private void discovery() {
    check("discovery: ServiceProviderConfig", () -> {
      holds("patch is supported", config.getPatch().isSupported());
      holds("filter is supported", config.getFilter().isSupported());
      holds("there is a way to authenticate", !config.getAuthenticationSchemes().isEmpty());
    });
    check("discovery: ResourceTypes", () -> {
      Set<String> names = new HashSet<>();
      for (ResourceTypeResource type : scim.getResourceTypes()) {
        names.add(type.getName());
        same(type.getSchema(), scim.getResourceType(type.getName()).getSchema());
      }
      same(Set.of("User", "Group"), names);
    });
    check("discovery: Schemas", () -> {
      int found = 0;
      for (SchemaResource schema : scim.getSchemas()) {
        found++;
        same(schema.getAttributes(), scim.getSchema(schema.getId()).getAttributes());
      }
      holds("User, EnterpriseUser, Group and an own one", found >= 4);
    });
  }

  static UserResource newUser(String userName) {
    UserResource user =
        new UserResource()
            .setUserName(userName)
            .setDisplayName("Display of " + userName)
            .setName(new Name().setGivenName("Given").setFamilyName("Family of " + userName))
            .setActive(true)
            .setTitle("Engineer")
            .setEmails(
                new Email().setValue(userName + "@work.example").setType("work").setPrimary(true),
                new Email().setValue(userName + "@home.example").setType("home"));
    user.setExternalId("ext-" + userName);
    user.setExtension(new EnterpriseUserExtension().setDepartment("Research").setEmployeeNumber("701"));
    return user;
  }

  private void users() {
    check("users: create, retrieve, replace, delete", () -> {
      UserResource created = scim.create("Users", newUser("ub-life"));
      same("ub-life", created.getUserName());
      same("User", created.getMeta().getResourceType());
      holds("it says where it is", created.getMeta().getLocation().toString().endsWith("/Users/" + created.getId()));
      UserResource read = scim.retrieve("Users", created.getId(), UserResource.class);
      same(created, read);
      same(read, scim.retrieve(created.getMeta().getLocation(), UserResource.class));
      same("Research", read.getExtension(EnterpriseUserExtension.class).getDepartment());
      read.setDisplayName("Another").setTitle(null).setPhoneNumbers(new PhoneNumber().setValue("+1 555").setType("work"));
      UserResource replaced = scim.replace(read);
      same("Another", replaced.getDisplayName());
      same(null, replaced.getTitle());
      same("+1 555", replaced.getPhoneNumbers().get(0).getValue());
      scim.delete(replaced);
      expect(ResourceNotFoundException.class, 404, () -> scim.retrieve(replaced));
    });
    check("users: attributes and excludedAttributes", () -> {
      UserResource user = scim.create("Users", newUser("ub-part"));
      UserResource some =
          scim.retrieveRequest("Users", user.getId())
              .attributes("userName", "emails.value", ENTERPRISE + ":department")
              .invoke(UserResource.class);
      same(user.getId(), some.getId());
      same("ub-part", some.getUserName());
      same(null, some.getDisplayName());
      same(null, some.getEmails().get(0).getType());
      same(null, some.getExtension(EnterpriseUserExtension.class).getEmployeeNumber());
      UserResource rest =
          scim.retrieveRequest("Users", user.getId())
              .excludedAttributes("emails", ENTERPRISE)
              .invoke(UserResource.class);
      holds("emails are left out", rest.getEmails() == null || rest.getEmails().isEmpty());
      same(null, rest.getExtension(EnterpriseUserExtension.class));
      same("Engineer", rest.getTitle());
    });
    check("users: If-None-Match answers 304 while nothing changed", () -> {
      UserResource user = scim.create("Users", newUser("ub-none-match"));
      expect(NotModifiedException.class, 304, () -> scim.retrieveRequest(user).ifNoneMatch().invoke());
      scim.modifyRequest(user).replaceValue("title", "Other").invoke();
      same("Other", scim.retrieveRequest(user).ifNoneMatch().invoke().getTitle());
    });
    check("users: If-Match lets the holder of the version write, and nobody else", () -> {
      UserResource user = scim.create("Users", newUser("ub-match"));
      UserResource changed = scim.modifyRequest(user).ifMatch().replaceValue("nickName", "One").invoke();
      same("One", changed.getNickName());
      user.setNickName("Two");
      expect(PreconditionFailedException.class, 412, () -> scim.replaceRequest(user).ifMatch().invoke());
      expect(
          PreconditionFailedException.class,
          412,
          () -> scim.modifyRequest(user).ifMatch().replaceValue("nickName", "Two").invoke());
      expect(
          PreconditionFailedException.class,
          412,
          () -> scim.deleteRequest("Users", user.getId()).ifMatch(user.getMeta().getVersion()).invoke());
      changed.setNickName("Three");
      same("Three", scim.replaceRequest(changed).ifMatch().invoke().getNickName());
    });
  }

  /** Each request is also applied by the SDK itself to what the server had: both should come to the same. */
  private void patches() throws ScimException {
    String email = "{\"value\":\"new@work.example\",\"type\":\"work\"}";
    patch("add to a multi-valued attribute", PatchOperation.add("emails", node("[{\"value\":\"third@x.example\",\"type\":\"other\"}]")));
    patch("add a simple attribute", PatchOperation.add("nickName", node("\"Nick\"")));
    patch("add a sub-attribute", PatchOperation.add("name.honorificPrefix", node("\"Dr\"")));
    patch("add without a path", PatchOperation.add(object("{\"userType\":\"Staff\",\"name\":{\"middleName\":\"M\"}}")));
    patch("add an extension's attribute by its URN", PatchOperation.add(Path.fromString(ENTERPRISE + ":costCenter"), node("\"4130\"")));
    patch("replace a simple attribute", PatchOperation.replace("title", "Director"));
    patch("replace by value filter", PatchOperation.replace("emails[type eq \"work\"].value", "w2@work.example"));
    patch("replace a whole value by value filter", PatchOperation.replace("emails[type eq \"home\"]", object(email.replace("work", "home"))));
    patch("replace a multi-valued attribute", PatchOperation.replace("emails", node("[" + email + "]")));
    patch("replace without a path", PatchOperation.replace(object("{\"title\":\"Chief\",\"displayName\":\"D\"}")));
    patch("replace a whole extension", PatchOperation.replace(Path.fromString(ENTERPRISE + ":department"), node("\"Sales\"")));
    patch("remove a simple attribute", PatchOperation.remove("title"));
    patch("remove a sub-attribute", PatchOperation.remove("name.givenName"));
    patch("remove by value filter", PatchOperation.remove("emails[type eq \"home\"]"));
    patch("remove by a filter with and, or, not", PatchOperation.remove("emails[(type eq \"home\" or type eq \"other\") and not (value sw \"zz\")]"));
    patch("remove a multi-valued attribute", PatchOperation.remove("emails"));
    patch("remove an extension's attribute", PatchOperation.remove(ENTERPRISE + ":employeeNumber"));
    patch(
        "several operations, in their order",
        PatchOperation.add("emails", node("[{\"value\":\"o@x.example\",\"type\":\"other\"}]")),
        PatchOperation.replace("emails[type eq \"other\"].value", "o2@x.example"),
        PatchOperation.remove("emails[type eq \"home\"]"),
        PatchOperation.replace("active", false));
    check("patch: a replace whose filter matches nothing is refused, and nothing of the request holds", () -> {
      UserResource user = scim.create("Users", newUser("ub-patch-none"));
      ScimException error =
          expect(
              BadRequestException.class,
              400,
              () ->
                  scim.modifyRequest(user)
                      .replaceValue("title", "Never")
                      .addOperation(PatchOperation.replace("emails[value co \"nowhere\"].type", "x"))
                      .invoke());
      same("noTarget", error.getScimError().getScimType());
      same("Engineer", scim.retrieve(user).getTitle());
    });
    check("patch: a read-only attribute is refused", () -> {
      UserResource user = scim.create("Users", newUser("ub-patch-readonly"));
      ScimException error =
          expect(BadRequestException.class, 400, () -> scim.modifyRequest(user).replaceValue("id", "other").invoke());
      same("mutability", error.getScimError().getScimType());
    });
    check("patch: a new primary value takes the place of the old one", () -> {
      UserResource user = scim.create("Users", newUser("ub-patch-primary"));
      UserResource changed =
          scim.modifyRequest(user)
              .addValues("emails", node("{\"value\":\"p@x.example\",\"type\":\"other\",\"primary\":true}"))
              .invoke();
      List<String> primary = new ArrayList<>();
      for (Email each : changed.getEmails()) if (Boolean.TRUE.equals(each.getPrimary())) primary.add(each.getValue());
      same(List.of("p@x.example"), primary);
    });
  }

  private int patched = 0;

  private void patch(String name, PatchOperation... operations) {
    String userName = "ub-patch-" + ++patched;
    check("patch: " + name, () -> {
      GenericScimResource before = scim.create("Users", newUser(userName)).asGenericScimResource();
      PatchRequest request = new PatchRequest(List.of(operations));
      GenericScimResource expected = new GenericScimResource(before.getObjectNode().deepCopy());
      request.apply(expected);
      GenericScimResource answered = scim.modify("Users", before.getId(), request, GenericScimResource.class);
      same(facts(expected), facts(answered));
      same(facts(expected), facts(scim.retrieve("Users", before.getId(), GenericScimResource.class)));
    });
  }

  /** Without what the server alone decides. An extension without a value is as good as none (RFC 7643 §2.5). */
  private static JsonNode facts(GenericScimResource resource) {
    ObjectNode facts = resource.getObjectNode().deepCopy();
    facts.remove(List.of("meta", "schemas"));
    return facts;
  }

  private void groups() {
    check("groups: create, members by PATCH, groups of a user, delete", () -> {
      UserResource one = scim.create("Users", newUser("ub-member-1"));
      UserResource two = scim.create("Users", newUser("ub-member-2"));
      GroupResource group =
          scim.create("Groups", new GroupResource().setDisplayName("ub group").setMembers(new Member().setValue(one.getId())));
      same(Set.of(one.getId()), members(group));
      patchGroup(group, PatchOperation.add("members", node("[{\"value\":\"" + two.getId() + "\"}]")));
      same(Set.of(one.getId(), two.getId()), members(scim.retrieve(group)));
      same("ub group", scim.retrieve(two).getGroups().get(0).getDisplay());
      patchGroup(group, PatchOperation.remove("members[value eq \"" + one.getId() + "\"]"));
      same(Set.of(two.getId()), members(scim.retrieve(group)));
      patchGroup(group, PatchOperation.replace("members", node("[{\"value\":\"" + one.getId() + "\"}]")));
      same(Set.of(one.getId()), members(scim.retrieve(group)));
      patchGroup(group, PatchOperation.replace("displayName", "ub group renamed"));
      GroupResource renamed = scim.retrieve(group);
      same("ub group renamed", renamed.getDisplayName());
      holds("members stay", members(renamed).equals(Set.of(one.getId())));
      renamed.setMembers(new Member().setValue(one.getId()), new Member().setValue(two.getId()));
      same(Set.of(one.getId(), two.getId()), members(scim.replaceRequest(renamed).ifMatch().invoke()));
      same(1, scim.search("Groups", "members[value eq \"" + two.getId() + "\"]", GroupResource.class).getTotalResults());
      scim.delete("Users", two.getId());
      same(Set.of(one.getId()), members(scim.retrieve(group)));
      patchGroup(group, PatchOperation.remove("members"));
      same(Set.of(), members(scim.retrieve(group)));
      scim.delete(group);
      expect(ResourceNotFoundException.class, 404, () -> scim.retrieve(group));
    });
    check("groups: PATCH answers with the group where attributes are asked for", () -> {
      GroupResource group = scim.create("Groups", new GroupResource().setDisplayName("ub group answered"));
      GroupResource answer =
          scim.modifyRequest(group).attributes("displayName").replaceValue("displayName", "ub group told").invoke();
      same("ub group told", answer.getDisplayName());
    });
    check("groups: PATCH of members", () -> {
      GroupResource group = scim.create("Groups", new GroupResource().setDisplayName("ub group plain"));
      GroupResource answer = scim.modifyRequest(group).replaceValue("displayName", "ub group plain 2").invoke();
      same("ub group plain 2", answer == null ? scim.retrieve(group).getDisplayName() : answer.getDisplayName());
    });
  }

  private void patchGroup(GroupResource group, PatchOperation operation) throws ScimException {
    scim.modifyRequest("Groups", group.getId()).attributes("displayName").addOperation(operation).invoke(GroupResource.class);
  }

  private static Set<String> members(GroupResource group) {
    Set<String> members = new HashSet<>();
    if (group.getMembers() != null) for (Member member : group.getMembers()) members.add(member.getValue());
    return members;
  }

  private void errors() {
    check("errors: 404 for an unknown resource", () -> {
      ScimException error =
          expect(ResourceNotFoundException.class, 404, () -> scim.retrieve("Users", "unknown", UserResource.class));
      holds("it says why", error.getScimError().getDetail() != null);
    });
    check("errors: 409 uniqueness for a user who is there", () -> {
      scim.create("Users", newUser("ub-twice"));
      ScimException error =
          expect(ResourceConflictException.class, 409, () -> scim.create("Users", newUser("UB-Twice")));
      same("uniqueness", error.getScimError().getScimType());
    });
    check("errors: 400 invalidFilter", () -> {
      ScimException error =
          expect(BadRequestException.class, 400, () -> scim.search("Users", "userName eq", UserResource.class));
      same("invalidFilter", error.getScimError().getScimType());
    });
    check("errors: 400 invalidPath", () -> {
      UserResource user = scim.create("Users", newUser("ub-bad-path"));
      ScimException error =
          expect(
              BadRequestException.class, 400, () -> scim.modifyRequest(user).replaceValue("noSuchAttribute", "x").invoke());
      same("invalidPath", error.getScimError().getScimType());
    });
    check("errors: 400 invalidValue without a userName", () -> {
      ScimException error =
          expect(BadRequestException.class, 400, () -> scim.create("Users", new UserResource().setDisplayName("Nobody")));
      same("invalidValue", error.getScimError().getScimType());
    });
  }

  static <E extends ScimException> ScimException expect(Class<E> kind, int status, Checks.Body body) throws Exception {
    try {
      body.run();
    } catch (ScimException error) {
      holds("expected " + status + ", found " + error.getScimError(), kind.isInstance(error));
      same(status, error.getScimError().getStatus());
      return error;
    }
    throw new AssertionError("expected " + status + ", found success");
  }

  static JsonNode node(String json) {
    try {
      return JsonUtils.getObjectReader().readTree(json);
    } catch (Exception exception) {
      throw new IllegalArgumentException(json, exception);
    }
  }

  private static ObjectNode object(String json) {
    return (ObjectNode) node(json);
  }
}
