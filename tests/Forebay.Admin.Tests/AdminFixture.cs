using System.Net;
using Forebay.Admin.Authentication;
using Forebay.Admin.Client;
using Forebay.Engine.Limits;
using Xunit;

namespace Forebay.Admin.Tests;

/// <summary>The real server on a free port over a <see cref="FakeNode"/>.</summary>
public abstract class AdminFixture : IAsyncLifetime
{
    protected const string Token = "0123456789abcdef-token";
    protected const string AccessKey = "AKIDEXAMPLE";
    protected const string Secret = "wJalrXUtnFEMI/K7MDENG";

    private AdminServer? _server;

    internal FakeNode Node { get; } = new();

    protected Uri Address => _server!.Address;

    protected HttpClient Http { get; } = new(new SocketsHttpHandler { UseProxy = false });

    protected AdminClient Client { get; private set; } = null!;

    protected string? NotReady { get; set; }

    protected virtual EgressLimits? Egress => null;

    protected static CancellationToken Soon => new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token;

    public virtual async Task InitializeAsync()
    {
        _server = await AdminServer.StartAsync(
            new AdminServerOptions
            {
                Node = Node,
                Address = new IPEndPoint(IPAddress.Loopback, 0),
                Authenticators =
                [
                    new BearerTokenAuthenticator(Token),
                    new SignatureAuthenticator(key => key == AccessKey ? Secret : null, TimeProvider.System),
                ],
                Egress = Egress,
                NotReadyReason = () => NotReady,
                Endpoints = () => new DataEndpoints("node-1", new Uri("http://0.0.0.0:9000"), "/run/forebay/node.socket"),
            },
            Soon);
        Client = new AdminClient(Address, new AdminCredentials(Token, null, null), TimeProvider.System);
        Http.BaseAddress = Address;
        Http.DefaultRequestHeaders.Add("authorization", $"Bearer {Token}");
    }

    public virtual async Task DisposeAsync()
    {
        Client.Dispose();
        Http.Dispose();
        await _server!.DisposeAsync();
    }
}
