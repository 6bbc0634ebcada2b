using System.Net;
using System.Text;
using Forebay.Admin.Api;
using Forebay.Admin.Client;
using Xunit;

namespace Forebay.Admin.Tests;

public sealed class AdminSecurityTests : AdminFixture
{
    [Fact]
    public async Task EveryRouteOfTheApiRefusesWithoutCredentialsAndWithWrongOnes()
    {
        foreach (AdminRoute route in AdminRoutes.All.Where(route => route.Pattern.StartsWith("/api/", StringComparison.Ordinal) && route.Access != AdminAccess.Open))
        {
            foreach (string? credentials in new[] { null, "Bearer wrong", $"Bearer {Token}x", "Basic abc", "AWS4-HMAC-SHA256 garbage" })
            {
                using var anonymous = new HttpClient { BaseAddress = Address };
                using var request = new HttpRequestMessage(new HttpMethod(route.Method), route.Pattern.Replace("{id}", "l1", StringComparison.Ordinal));
                request.Headers.TryAddWithoutValidation("authorization", credentials);
                request.Content = route.Method == "POST" ? new StringContent("{\"path\":\"/data/\"}", Encoding.UTF8, "application/json") : null;

                using HttpResponseMessage response = await anonymous.SendAsync(request);

                Assert.True(response.StatusCode == HttpStatusCode.Unauthorized, $"{route.Method} {route.Pattern} with '{credentials}': {response.StatusCode}");
            }
        }

        Assert.Empty(Node.Calls);
    }

    [Fact]
    public async Task AKeyPairSignsReadsAndChanges()
    {
        using var client = new AdminClient(Address, new AdminCredentials(null, AccessKey, Secret), TimeProvider.System);

        ObjectInfo info = await client.StatAsync("/data/a b+c%20.txt", Soon);
        await client.RefreshAsync("/data/ümlaut/", Soon);

        Assert.Equal(5, info.Bytes);
        Assert.Equal(["refresh /data/ümlaut/"], Node.Calls);
    }

    [Theory]
    [InlineData(AccessKey, "wrong secret", 0)]
    [InlineData("UNKNOWN", Secret, 0)]
    [InlineData(AccessKey, Secret, 16)]
    [InlineData(AccessKey, Secret, -16)]
    public async Task AWrongKeyPairOrClockIsRefused(string key, string secret, int minutesOff)
    {
        using var client = new AdminClient(Address, new AdminCredentials(null, key, secret), new OffsetClock(TimeSpan.FromMinutes(minutesOff)));

        AdminClientException error = await Assert.ThrowsAsync<AdminClientException>(() => client.GetStatusAsync(Soon));

        Assert.Equal("unauthenticated", error.Kind);
        Assert.DoesNotContain(Secret, error.Message);
    }

    [Fact]
    public async Task ASignatureHoldsForItsOwnTargetAndBodyOnly()
    {
        using var capture = new CapturingServer();
        using var client = new AdminClient(capture.Address(Address), new AdminCredentials(null, AccessKey, Secret), TimeProvider.System);
        Dictionary<string, string> headers = await capture.CaptureAsync(client.FreeAsync(new FreeBody { Path = "/data/", DryRun = true }, Soon));

        Assert.Equal(HttpStatusCode.OK, await ReplayAsync("/api/v1/free", capture.Body, headers));
        Assert.Equal(HttpStatusCode.Unauthorized, await ReplayAsync("/api/v1/pin", capture.Body, headers));
        Assert.Equal(HttpStatusCode.Unauthorized, await ReplayAsync("/api/v1/free?x=1", capture.Body, headers));
        Assert.Equal(HttpStatusCode.Unauthorized, await ReplayAsync("/api/v1/free", capture.Body.Replace("true", "false", StringComparison.Ordinal), headers));
    }

    [Fact]
    public async Task AForeignHostNameIsRefused()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/status");
        request.Headers.Host = "evil.example:9001";
        using HttpResponseMessage refused = await Http.SendAsync(request);
        using var local = new HttpRequestMessage(HttpMethod.Get, "/api/v1/status");
        local.Headers.Host = "localhost:9001";
        using HttpResponseMessage accepted = await Http.SendAsync(local);

        Assert.Equal((421, 200), ((int)refused.StatusCode, (int)accepted.StatusCode));
    }

    [Fact]
    public async Task AFormOfAnotherSiteChangesNothing()
    {
        using var form = new StringContent("{\"path\":\"/data/\"}", Encoding.UTF8, "text/plain");
        using HttpResponseMessage response = await Http.PostAsync("/api/v1/free", form);

        Assert.Equal(HttpStatusCode.UnsupportedMediaType, response.StatusCode);
        Assert.Empty(Node.Calls);
    }

    [Fact]
    public async Task ABodyBeyondItsBoundIsRefused()
    {
        using var large = new StringContent(new string(' ', AdminApplication.MaxBodyBytes + 1), Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await Http.PostAsync("/api/v1/free", large);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task ANodeThatIsNotThereIsSaidToBeUnreachable()
    {
        using var client = new AdminClient(new Uri("http://127.0.0.1:1"), AdminCredentials.None, TimeProvider.System);

        AdminClientException error = await Assert.ThrowsAsync<AdminClientException>(() => client.GetStatusAsync(Soon));

        Assert.Equal(AdminClientException.Unreachable, error.Kind);
        Assert.Contains("127.0.0.1:1", error.Message);
    }

    [Theory]
    [InlineData("127.0.0.1:9001", "http://127.0.0.1:9001/")]
    [InlineData("node", "http://node:9001/")]
    [InlineData("node:80", "http://node:80/")]
    [InlineData("https://node:444", "https://node:444/")]
    [InlineData("ftp://node", null)]
    [InlineData("http://user@node", null)]
    [InlineData("", null)]
    public void AddressesAreRead(string text, string? expected) => Assert.Equal(expected is null ? null : new Uri(expected), AdminClient.ParseAddress(text));

    private async Task<HttpStatusCode> ReplayAsync(string target, string body, Dictionary<string, string> headers)
    {
        using var anonymous = new HttpClient { BaseAddress = Address };
        using var request = new HttpRequestMessage(HttpMethod.Post, target) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        foreach ((string name, string value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        using HttpResponseMessage response = await anonymous.SendAsync(request);
        return response.StatusCode;
    }

    private sealed class OffsetClock(TimeSpan offset) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + offset;
    }

    /// <summary>Accepts one request and notes its signature headers and body.</summary>
    private sealed class CapturingServer : IDisposable
    {
        private readonly System.Net.Sockets.TcpListener _listener = new(IPAddress.Loopback, 0);

        public CapturingServer() => _listener.Start();

        public string Body { get; private set; } = "";

        public Uri Address(Uri _) => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

        public async Task<Dictionary<string, string>> CaptureAsync(Task request)
        {
            string text = "";
            using (System.Net.Sockets.TcpClient connection = await _listener.AcceptTcpClientAsync(Soon))
            {
                byte[] buffer = new byte[64 << 10];
                while (!text.EndsWith('}'))
                {
                    text += Encoding.UTF8.GetString(buffer, 0, await connection.GetStream().ReadAsync(buffer, Soon));
                }
            }

            await Assert.ThrowsAsync<AdminClientException>(() => request);
            string[] parts = text.Split("\r\n\r\n", 2);
            Body = parts[1];
            Dictionary<string, string> headers = parts[0].Split("\r\n").Skip(1).Select(line => line.Split(": ", 2))
                .Where(pair => pair[0].StartsWith("x-amz", StringComparison.OrdinalIgnoreCase) || pair[0].Equals("authorization", StringComparison.OrdinalIgnoreCase))
                .ToDictionary(pair => pair[0], pair => pair[1]);

            // The host is signed as well: replay under the name that was signed.
            headers["host"] = $"127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";
            return headers;
        }

        public void Dispose() => _listener.Dispose();
    }
}
