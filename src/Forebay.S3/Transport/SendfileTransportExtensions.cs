using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Forebay.S3.Transport;

/// <summary>Puts the sendfile transport under Kestrel.</summary>
public static class SendfileTransportExtensions
{
    /// <summary>Replaces Kestrel's socket transport; call it after <c>UseKestrel</c>.</summary>
    /// <param name="builder">The host being built.</param>
    /// <param name="configure">Changes options of the sockets; null for the defaults.</param>
    public static IWebHostBuilder UseSendfileTransport(this IWebHostBuilder builder, Action<SocketTransportOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.ConfigureServices(services =>
        {
            services.RemoveAll<IConnectionListenerFactory>();
            services.AddSingleton<IConnectionListenerFactory, SendfileTransportFactory>();
            if (configure is not null)
            {
                services.Configure(configure);
            }
        });
    }
}
