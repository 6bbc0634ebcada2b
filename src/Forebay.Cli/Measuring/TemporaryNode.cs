using System.Net;
using System.Net.Sockets;
using Forebay.Cli.Configuration;

namespace Forebay.Cli.Measuring;

/// <summary>What a node needs that lives only for one command.</summary>
internal static class TemporaryNode
{
    /// <summary>The address itself, or a free port of its interface when somebody listens there already.</summary>
    public static ListenAddress FreeOr(ListenAddress address)
    {
        try
        {
            using Socket probe = new(address.Host.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            probe.Bind(new IPEndPoint(address.Host, address.Port));
            return address;
        }
        catch (SocketException)
        {
            return address with { Port = 0 };
        }
    }

    /// <summary>Removes its directory; what a reader or a failing disk still holds is left to the system's own cleaning of temporary files.</summary>
    public static void Remove(string directory, TextWriter error)
    {
        try
        {
            Directory.Delete(directory, recursive: true);
        }
        catch (IOException)
        {
            error.WriteLine($"forebay: {directory} could not be removed.");
        }
    }
}
