package interop;

import static interop.Checks.check;
import static interop.Checks.holds;
import static interop.Checks.same;

import com.fasterxml.jackson.databind.node.ObjectNode;
import com.unboundid.scim2.client.ScimService;
import com.unboundid.scim2.client.requests.SearchRequestBuilder;
import com.unboundid.scim2.common.GenericScimResource;
import com.unboundid.scim2.common.filters.Filter;
import com.unboundid.scim2.common.messages.ListResponse;
import com.unboundid.scim2.common.messages.SortOrder;
import com.unboundid.scim2.common.types.ServiceProviderConfigResource;
import com.unboundid.scim2.common.types.UserResource;
import com.unboundid.scim2.common.utils.FilterEvaluator;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;

/**
 * Queries over a known population. Every filter goes to the server and to the SDK's own evaluator, which decides over the
 * resources as the server itself lists them: both should find the same people.
 */
final class UnboundIdQueries {
  private static final String ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
  private static final String OWN = "urn:example:params:scim:schemas:extension:interop:2.0:User";
  private static final int PEOPLE = 30;

  private final ScimService scim;
  private final ServiceProviderConfigResource config;

  UnboundIdQueries(ScimService scim, ServiceProviderConfigResource config) {
    this.scim = scim;
    this.config = config;
  }

  void run() throws Exception {
    for (UserResource user : scim.search("Users", null, UserResource.class)) scim.delete(user);
    for (int index = 0; index < PEOPLE; index++) scim.create("Users", person(index));
    List<GenericScimResource> everybody = new ArrayList<>();
    for (int start = 1; start <= PEOPLE; start += 10) {
      everybody.addAll(
          scim.searchRequest("Users").page(start, 10).invoke(GenericScimResource.class).getResources());
    }
    check("queries: index paging shows everybody once", () -> same(PEOPLE, names(everybody).size()));
    filters(everybody);
    randomFilters(everybody);
    paging();
    sorting();
    cursors();
  }

  private static GenericScimResource person(int index) {
    ObjectNode user =
        (ObjectNode)
            UnboundId.node(
                """
                {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"q%02d","active":%b,
                 "externalId":"Ext-%02d","displayName":"Person %s","name":{"familyName":"%s","givenName":"Given"},
                 "emails":[{"value":"q%02d@work.example","type":"work","primary":true}],
                 "%s":{"employeeNumber":"%d","department":"%s"},
                 "%s":{"floor":%d,"badge":"B%d","remote":%b,"hiredAt":"20%02d-0%d-15T08:00:00Z","languages":["en","%s"]}}
                """
                    .formatted(
                        index, index % 3 != 0, index, (char) ('A' + index % 26), index % 2 == 0 ? "Even" : "Odd \\\"q\\\"", index,
                        ENTERPRISE, 700 + index, List.of("Research", "Sales", "Legal_50%").get(index % 3),
                        OWN, index % 7, index, index % 4 == 0, 10 + index % 15, 1 + index % 9, index % 2 == 0 ? "de" : "fr"));
    if (index % 5 == 0) user.put("title", "Lead " + index);
    if (index % 4 == 1) {
      user.withArrayProperty("emails").addObject().put("value", "q" + index + "@home.example").put("type", "home");
    }
    if (index % 6 == 2) user.put("nickName", "");
    return new GenericScimResource(user);
  }

  private static final List<String> FILTERS =
      List.of(
          "userName eq \"q07\"",
          "USERNAME EQ \"Q07\"",
          "userName ne \"q07\"",
          "userName co \"1\"",
          "userName sw \"q1\"",
          "userName ew \"1\"",
          "externalId sw \"xt\"",
          "externalId ew \"Ext\"",
          "userName gt \"q20\"",
          "userName ge \"q20\"",
          "userName lt \"q05\"",
          "userName le \"q05\"",
          "title pr",
          "not (title pr)",
          "active eq true",
          "active eq false",
          "active ne true",
          "externalId eq \"Ext-03\"",
          "name.familyName eq \"Even\"",
          "name.familyName co \"\\\"q\\\"\"",
          "name pr",
          "emails pr",
          "emails.type eq \"home\"",
          "emails.value ew \"@home.example\"",
          "emails[type eq \"home\"]",
          "emails[type eq \"work\" and value co \"2\"]",
          "emails[type eq \"work\" and primary eq true]",
          "emails[not (type eq \"work\")]",
          ENTERPRISE + ":department eq \"Sales\"",
          ENTERPRISE + ":department co \"_50%\"",
          ENTERPRISE + ":employeeNumber gt \"715\"",
          OWN + ":floor ge 5",
          OWN + ":floor lt 2",
          OWN + ":floor eq 3",
          OWN + ":remote eq true",
          OWN + ":hiredAt gt \"2018-01-01T00:00:00Z\"",
          OWN + ":hiredAt le \"2012-03-15T08:00:00Z\"",
          OWN + ":languages eq \"fr\"",
          OWN + ":badge eq \"B3\"",
          "meta.resourceType eq \"User\"",
          "meta.lastModified ge \"2011-05-13T04:42:34Z\"",
          "active eq true and title pr",
          "active eq false or title pr",
          "active eq true and (title pr or name.familyName eq \"Even\")",
          "active eq true and title pr or userName eq \"q01\"",
          "not (active eq true and title pr)",
          "not (not (title pr))");

  private void filters(List<GenericScimResource> everybody) {
    for (String filter : FILTERS) check("filter: " + filter, () -> agree(filter, everybody, false));
    check("filter: eq null finds who has no value", () -> agree("title eq null", everybody, false));
    check("filter: the same by POST .search", () -> {
      for (String filter : FILTERS) agree(filter, everybody, true);
    });
  }

  private void agree(String filter, List<GenericScimResource> everybody, boolean post) throws Exception {
    Set<String> expected = new TreeSet<>();
    Filter parsed = Filter.fromString(filter);
    for (GenericScimResource user : everybody) {
      if (FilterEvaluator.evaluate(parsed, user.getObjectNode())) expected.add(user.getStringValue("userName"));
    }
    SearchRequestBuilder request = scim.searchRequest("Users").filter(filter).attributes("userName");
    ListResponse<GenericScimResource> found =
        post ? request.invokePost(GenericScimResource.class) : request.invoke(GenericScimResource.class);
    same(expected, names(found.getResources()));
    same(expected.size(), found.getTotalResults());
  }

  /** Trees of the filters above, always the same ones. */
  private void randomFilters(List<GenericScimResource> everybody) {
    Random random = new Random(7644);
    check("filter: two hundred random ones", () -> {
      List<String> differing = new ArrayList<>();
      for (int index = 0; index < 200; index++) {
        String filter = randomFilter(random, 3);
        try {
          agree(filter, everybody, false);
        } catch (AssertionError | com.unboundid.scim2.common.exceptions.ScimException found) {
          differing.add(filter + ": " + found.getMessage());
        }
      }
      same(List.of(), differing.subList(0, Math.min(3, differing.size())));
    });
  }

  private static String randomFilter(Random random, int depth) {
    String one = FILTERS.get(random.nextInt(FILTERS.size()));
    if (depth == 0 || random.nextInt(4) == 0) return one;
    String left = randomFilter(random, depth - 1);
    return switch (random.nextInt(3)) {
      case 0 -> "(" + left + ") and (" + randomFilter(random, depth - 1) + ")";
      case 1 -> "(" + left + ") or (" + randomFilter(random, depth - 1) + ")";
      default -> "not (" + left + ")";
    };
  }

  private void paging() {
    check("paging: startIndex and count", () -> {
      ListResponse<UserResource> page = scim.searchRequest("Users").page(11, 5).invoke(UserResource.class);
      same(PEOPLE, page.getTotalResults());
      same(11, page.getStartIndex());
      same(5, page.getItemsPerPage());
      same(5, page.getResources().size());
    });
    check("paging: count 0 counts", () -> {
      ListResponse<UserResource> page = scim.searchRequest("Users").page(1, 0).invoke(UserResource.class);
      same(PEOPLE, page.getTotalResults());
      same(0, page.getResources().size());
    });
    check("paging: a page beyond the end is empty", () -> {
      ListResponse<UserResource> page = scim.searchRequest("Users").page(1000, 5).invoke(UserResource.class);
      same(PEOPLE, page.getTotalResults());
      same(0, page.getResources().size());
    });
    check("paging: a startIndex below 1 is 1, a negative count is 0", () -> {
      ListResponse<UserResource> page = scim.searchRequest("Users").page(-3, -5).invoke(UserResource.class);
      same(1, page.getStartIndex());
      same(0, page.getResources().size());
    });
    check("paging: POST .search", () -> {
      ListResponse<UserResource> page =
          scim.searchRequest("Users").filter("userName sw \"q\"").page(6, 5).invokePost(UserResource.class);
      same(PEOPLE, page.getTotalResults());
      same(6, page.getStartIndex());
      same(5, page.getResources().size());
    });
    check("paging: POST .search of the whole directory", () -> {
      ListResponse<GenericScimResource> page =
          scim.searchRequest("").filter("userName eq \"q03\"").invokePost(GenericScimResource.class);
      same(Set.of("q03"), names(page.getResources()));
    });
  }

  private void sorting() {
    for (String by : List.of("userName", "externalId", "name.familyName", "meta.created", OWN + ":floor", "title")) {
      check("sort: by " + by, () -> {
        if (!config.getSort().isSupported()) throw new Checks.Skipped("the server says that it does not sort");
        List<String> up = sorted(by, SortOrder.ASCENDING);
        same(PEOPLE, new HashSet<>(up).size());
        if (by.equals("userName") || by.equals("externalId")) {
          List<String> expected = new ArrayList<>(up);
          Collections.sort(expected);
          same(expected, up);
          Collections.reverse(expected);
          same(expected, sorted(by, SortOrder.DESCENDING));
        }
      });
    }
    check("sort: numbers as numbers, and values before none when ascending", () -> {
      if (!config.getSort().isSupported()) throw new Checks.Skipped("the server says that it does not sort");
      List<Integer> floors = new ArrayList<>();
      for (GenericScimResource user : page(OWN + ":floor", SortOrder.ASCENDING)) floors.add(user.getIntegerValue(OWN + ":floor"));
      List<Integer> expected = new ArrayList<>(floors);
      Collections.sort(expected);
      same(expected, floors);
      List<Boolean> titled = new ArrayList<>();
      for (GenericScimResource user : page("title", SortOrder.ASCENDING)) titled.add(user.getObjectNode().has("title"));
      holds("those without a title come last", !titled.get(PEOPLE - 1) && titled.get(0));
    });
  }

  private List<GenericScimResource> page(String by, SortOrder order) throws Exception {
    return scim.searchRequest("Users").sort(by, order).page(1, 100).invoke(GenericScimResource.class).getResources();
  }

  private List<String> sorted(String by, SortOrder order) throws Exception {
    List<String> names = new ArrayList<>();
    for (GenericScimResource user : page(by, order)) names.add(user.getStringValue("userName"));
    return names;
  }

  private void cursors() {
    check("cursors: every page to the last", () -> {
      if (config.getPagination() == null || !config.getPagination().supportsCursorPagination()) {
        throw new Checks.Skipped("the server says that it has no cursors");
      }
      Set<String> seen = new HashSet<>();
      ListResponse<GenericScimResource> page =
          scim.searchRequest("Users").firstPageCursorWithCount(7).invoke(GenericScimResource.class);
      same(null, page.getPreviousCursor());
      int pages = 1;
      for (; ; pages++) {
        for (String name : names(page.getResources())) holds(name + " once", seen.add(name));
        if (page.getNextCursor() == null) break;
        page = scim.searchRequest("Users").pageWithCursor(page.getNextCursor(), 7).invoke(GenericScimResource.class);
      }
      same(PEOPLE, seen.size());
      same((PEOPLE + 6) / 7, pages);
    });
  }

  private static Set<String> names(List<GenericScimResource> users) throws Exception {
    Set<String> names = new TreeSet<>();
    for (GenericScimResource user : users) names.add(user.getStringValue("userName"));
    return names;
  }
}
