using System.Net.Sockets;
using Forebay.Admin;

namespace Forebay.Cli.Serve;

/// <summary>The admin API, metrics and page as a part of the node.</summary>
internal sealed class AdminEdge(AdminServerOptions options, string listen) : IEdge
{
    private AdminServer? _server;

    public string Name => "admin";

    public string Address { get; private set; } = "";

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            _server = await AdminServer.StartAsync(options, cancellationToken);
        }
        catch (Exception e) when (e is IOException or SocketException or UnauthorizedAccessException)
        {
            throw EdgeAddress.Fault(listen, Name, e);
        }

        Address = EdgeAddress.Reachable(_server.Address);
    }

    public Task DrainAsync(CancellationToken cancellationToken) => _server?.StopAsync(cancellationToken) ?? Task.CompletedTask;

    public ValueTask DisposeAsync() => _server?.DisposeAsync() ?? ValueTask.CompletedTask;
}
