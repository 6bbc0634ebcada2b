using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Forebay.Admin.Api;
using Forebay.Admin.Client;
using Forebay.Core;
using Forebay.Engine;
using Forebay.Engine.Status;
using Xunit;

namespace Forebay.Admin.Tests;

public sealed class AdminApiTests : AdminFixture
{
    [Fact]
    public async Task StatusHasTheFieldNamesOthersBuildOn()
    {
        using JsonDocument json = JsonDocument.Parse(await Http.GetStringAsync("/api/v1/status"));
        JsonElement mount = json.RootElement.GetProperty("mountPoints")[0];
        JsonElement tier = json.RootElement.GetProperty("tiers")[0];

        foreach (string name in new[] { "underStoreBytesRead", "underStoreRequests", "hitBytes", "missBytes", "cachedBytes", "totalBytes" })
        {
            Assert.True(mount.TryGetProperty(name, out _), name);
        }

        Assert.Equal(JsonValueKind.Null, mount.GetProperty("totalBytes").ValueKind);
        Assert.Equal((1000, 500), (tier.GetProperty("quotaBytes").GetInt32(), tier.GetProperty("usedBytes").GetInt32()));
        NodeStatus status = await Client.GetStatusAsync(Soon);
        Assert.Equal((75L, "1.2.3"), (status.MountPoints[0].HitBytes, status.Version));
    }

    [Fact]
    public async Task ListingWalksPrefixesAndPages()
    {
        Assert.Equal(["/data/"], await NamesAsync("/", recursive: false));
        Assert.Equal(["/data/a b+c%20.txt", "/data/dir/", "/data/empty", "/data/ümlaut/"], await NamesAsync("/data", recursive: false));
        Assert.Equal(["/data/dir/one.bin", "/data/dir/sub/two.bin"], await NamesAsync("/data/dir", recursive: true));
        Assert.Equal(["/data/empty"], await NamesAsync("/data/empty", recursive: false));

        using JsonDocument first = JsonDocument.Parse(await Http.GetStringAsync("/api/v1/ls?path=/data/&limit=2"));
        Assert.Equal("/data/dir/", first.RootElement.GetProperty("next").GetString());
        using JsonDocument second = JsonDocument.Parse(await Http.GetStringAsync("/api/v1/ls?path=/data/&limit=2&after=/data/dir/"));
        Assert.Equal("/data/empty", second.RootElement.GetProperty("entries")[0].GetProperty("path").GetString());
        Assert.Equal(JsonValueKind.Null, second.RootElement.GetProperty("next").ValueKind);
    }

    [Fact]
    public async Task ManyPagesAreJoinedByTheClient()
    {
        for (int i = 0; i < 2_500; i++)
        {
            Node.Put($"many/{i:d5}", []);
        }

        Assert.Equal(2_500, (await NamesAsync("/data/many/", recursive: true)).Distinct().Count());
    }

    [Fact]
    public async Task StatAndDuAnswer()
    {
        ObjectInfo info = await Client.StatAsync("/data/a b+c%20.txt", Soon);
        DiskUsage usage = await Client.MeasureAsync("/data/dir/", Soon);

        Assert.Equal((5L, "\"v1\"", 3L, true, "me"), (info.Bytes, info.Etag, info.CachedBytes, info.Pinned, info.UserMetadata!["who"]));
        Assert.Equal((2L, 700_010L), (usage.Objects, usage.Bytes));
    }

    [Fact]
    public async Task ObjectsStreamWholeAndByRange()
    {
        using var body = new MemoryStream();
        Assert.Equal(700_000, await Client.CopyObjectAsync("/data/dir/one.bin", body, Soon));
        Assert.Equal((byte)(699_999 * 31 & 0xFF), body.ToArray()[^1]);
        Assert.Equal(0, await Client.CopyObjectAsync("/data/empty", new MemoryStream(), Soon));

        foreach ((string range, string expected, string contentRange) in new[]
                 {
                     ("bytes=1-3", "ell", "bytes 1-3/5"), ("bytes=2-", "llo", "bytes 2-4/5"), ("bytes=-2", "lo", "bytes 3-4/5"), ("bytes=0-99", "hello", "bytes 0-4/5"),
                 })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/objects?path=/data/" + Uri.EscapeDataString("a b+c%20.txt"));
            request.Headers.Range = RangeHeaderValue.Parse(range);
            using HttpResponseMessage response = await Http.SendAsync(request);
            Assert.Equal((206, expected), ((int)response.StatusCode, await response.Content.ReadAsStringAsync()));
            Assert.Equal(contentRange, response.Content.Headers.ContentRange?.ToString());
            Assert.Equal("application/octet-stream", response.Content.Headers.ContentType?.MediaType);
        }

        using var outside = new HttpRequestMessage(HttpMethod.Get, "/api/v1/objects?path=/data/empty");
        outside.Headers.Range = RangeHeaderValue.Parse("bytes=0-0");
        using HttpResponseMessage refused = await Http.SendAsync(outside);
        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, refused.StatusCode);
    }

    [Fact]
    public async Task AnObjectThatChangesInTheMiddleNeverLooksWhole()
    {
        Node.Data.BreakAt = 300_000;

        AdminClientException error = await Assert.ThrowsAsync<AdminClientException>(() => Client.CopyObjectAsync("/data/dir/one.bin", new MemoryStream(), Soon));

        Assert.Equal("truncated", error.Kind);
        Node.Data.BreakAt = 0;
        Assert.Equal("staleVersion", (await Assert.ThrowsAsync<AdminClientException>(() => Client.CopyObjectAsync("/data/dir/one.bin", new MemoryStream(), Soon))).Kind);
    }

    [Fact]
    public async Task ChangesReachTheNode()
    {
        LoadStatus load = await Client.StartLoadAsync(new LoadBody { Paths = ["/data/dir/", "/data/empty"], Pin = true, Parallelism = 4 }, Soon);
        Assert.Equal(LoadState.Running, (await Client.GetLoadAsync(load.Id, Soon)).State);
        Assert.Single(await Client.GetLoadsAsync(Soon));
        await Client.CancelLoadAsync(load.Id, Soon);
        Assert.Equal("invalidArgument", (await Assert.ThrowsAsync<AdminClientException>(() => Client.CancelLoadAsync(load.Id, Soon))).Kind);
        Assert.Equal(4096, (await Client.FreeAsync(new FreeBody { Path = "/data/", DryRun = true }, Soon)).Bytes);
        await Client.PinAsync("/data/x", Soon);
        Assert.Equal(Node.GetPins(), await Client.GetPinsAsync(Soon));
        await Client.UnpinAsync("/data/x", Soon);
        await Client.RefreshAsync("/data/", Soon);

        Assert.Equal(
            ["load /data/dir/,/data/empty pin=True parallelism=4", "free /data/ pinnedToo=False dryRun=True", "pin /data/x", "unpin /data/x", "refresh /data/"],
            Node.Calls);
    }

    [Fact]
    public async Task DefaultParallelismIsTheEngines()
    {
        await Client.StartLoadAsync(new LoadBody { Paths = ["/data/"] }, Soon);

        Assert.EndsWith("parallelism=16", Node.Calls[0]);
    }

    [Theory]
    [InlineData("GET", "/api/v1/nothing", null, 404, "notFound")]
    [InlineData("DELETE", "/api/v1/status", null, 405, "methodNotAllowed")]
    [InlineData("GET", "/api/v1/stat", null, 400, "invalidArgument")]
    [InlineData("GET", "/api/v1/stat?path=/data/missing", null, 404, "notFound")]
    [InlineData("GET", "/api/v1/ls?path=relative", null, 400, "invalidArgument")]
    [InlineData("GET", "/api/v1/ls?path=//key", null, 400, "invalidArgument")]
    [InlineData("GET", "/api/v1/ls?path=/other/", null, 404, "notFound")]
    [InlineData("GET", "/api/v1/ls?path=/data/nothing/", null, 404, "notFound")]
    [InlineData("GET", "/api/v1/ls?path=/data/&limit=0", null, 400, "invalidArgument")]
    [InlineData("GET", "/api/v1/ls?path=/data/&limit=1001", null, 400, "invalidArgument")]
    [InlineData("GET", "/api/v1/ls?path=/data/&recursive=maybe", null, 400, "invalidArgument")]
    [InlineData("GET", "/api/v1/ls?path=/data/&after=/other/x", null, 400, "invalidArgument")]
    [InlineData("GET", "/api/v1/objects?path=/data/", null, 400, "invalidArgument")]
    [InlineData("GET", "/api/v1/loads/none", null, 404, "notFound")]
    [InlineData("POST", "/api/v1/load", "{}", 400, "invalidArgument")]
    [InlineData("POST", "/api/v1/load", "{\"paths\":[\"/data/\"],\"parallelism\":257}", 400, "invalidArgument")]
    [InlineData("POST", "/api/v1/free", "{\"path\":", 400, "invalidArgument")]
    [InlineData("POST", "/api/v1/free", "null", 400, "invalidArgument")]
    [InlineData("POST", "/api/v1/pin", "{}", 400, "invalidArgument")]
    public async Task BadRequestsGetAKindAMessageAndARequestId(string method, string target, string? body, int status, string kind)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), target);
        request.Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json");
        if (body is null)
        {
            request.Headers.Add("x-forebay-request", "1");
        }

        using HttpResponseMessage response = await Http.SendAsync(request);

        using JsonDocument json = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        JsonElement error = json.RootElement.GetProperty("error");
        Assert.Equal((status, kind), ((int)response.StatusCode, error.GetProperty("kind").GetString()));
        Assert.NotEmpty(error.GetProperty("message").GetString()!);
        Assert.Equal(response.Headers.GetValues("x-request-id").Single(), error.GetProperty("requestId").GetString());
    }

    [Fact]
    public async Task EveryKindOfErrorHasAStatusAndAWord()
    {
        foreach (ErrorKind kind in Enum.GetValues<ErrorKind>())
        {
            Node.Fail = new ForebayException(kind, "scripted") { RetryAfter = TimeSpan.FromSeconds(1.5) };

            using HttpResponseMessage response = await Http.GetAsync("/api/v1/du?path=/data/");

            Assert.Equal(AdminErrorMap.StatusOf(kind), (int)response.StatusCode);
            Assert.Contains($"\"kind\":\"{AdminErrorMap.WordOf(kind)}\"", await response.Content.ReadAsStringAsync());
            Assert.Equal(2, response.Headers.RetryAfter?.Delta?.TotalSeconds);
        }

        Assert.Equal(Enum.GetValues<ErrorKind>().Length, Enum.GetValues<ErrorKind>().Select(AdminErrorMap.WordOf).Distinct().Count());
    }

    [Fact]
    public async Task HealthReadinessAndThePageNeedNoCredentials()
    {
        using var anonymous = new HttpClient { BaseAddress = Address };

        Assert.Equal("ok\n", await anonymous.GetStringAsync("/healthz"));
        Assert.Equal("ready\n", await anonymous.GetStringAsync("/readyz"));
        Assert.Contains("<title>Forebay</title>", await anonymous.GetStringAsync("/"));
        Assert.Contains("api/v1/status", await anonymous.GetStringAsync("/page.js"));
        Assert.Contains("light-dark", await anonymous.GetStringAsync("/page.css"));
        NotReady = "opening tiers";
        using HttpResponseMessage notReady = await anonymous.GetAsync("/readyz");
        Assert.Equal((503, "not ready: opening tiers\n"), ((int)notReady.StatusCode, await notReady.Content.ReadAsStringAsync()));
    }

    [Fact]
    public async Task WhereTheDataIsIsToldToEverybodyByTheNameTheyAskedBy()
    {
        using AdminClient anonymous = new(new Uri($"http://localhost:{Address.Port}"), AdminCredentials.None, TimeProvider.System);

        Assert.Equal(new NodeEndpoints("node-1", "http://localhost:9000", "/run/forebay/node.socket"), await anonymous.GetEndpointsAsync(Soon));
    }

    [Fact]
    public void ThePageLoadsNothingFromElsewhere()
    {
        foreach (string file in new[] { "page/index.html", "page/page.css", "page/page.js" })
        {
            string text = Encoding.UTF8.GetString(EmbeddedFile.Read(file));
            Assert.DoesNotContain("http://", text, StringComparison.Ordinal);
            Assert.DoesNotContain("https://", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void EveryRouteIsInTheOpenApiDocumentAndNothingElse()
    {
        using JsonDocument document = JsonDocument.Parse(EmbeddedFile.Read("openapi.json"));
        IEnumerable<string> documented = document.RootElement.GetProperty("paths").EnumerateObject()
            .SelectMany(path => path.Value.EnumerateObject().Select(method => $"{method.Name.ToUpperInvariant()} {path.Name}"));

        Assert.Equal(AdminRoutes.All.Select(route => $"{route.Method} {route.Pattern}").Order(), documented.Order());
    }

    [Fact]
    public async Task AnAddressInUseIsSaidPlainly()
    {
        ForebayException error = await Assert.ThrowsAsync<ForebayException>(() => AdminServer.StartAsync(
            new AdminServerOptions { Node = Node, AllowAnonymous = true, Address = new IPEndPoint(IPAddress.Loopback, Address.Port) }, Soon));

        Assert.Contains("--admin", error.Message);
        await Assert.ThrowsAsync<ForebayException>(() => AdminServer.StartAsync(new AdminServerOptions { Node = Node }, Soon));
    }

    private async Task<List<string>> NamesAsync(string path, bool recursive)
    {
        var names = new List<string>();
        await foreach (ListingEntry entry in Client.ListAsync(path, recursive, Soon))
        {
            names.Add(entry.Path);
        }

        return names;
    }
}
