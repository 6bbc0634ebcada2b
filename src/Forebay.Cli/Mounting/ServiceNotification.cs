using System.Net.Sockets;

namespace Forebay.Cli.Mounting;

/// <summary>Tells the service manager that started this process how far it is (sd_notify(3)); nothing when it did not ask.</summary>
internal static class ServiceNotification
{
    private const string Variable = "NOTIFY_SOCKET";

    /// <summary>The unit is up: those that wait for it may begin.</summary>
    public static void Ready()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 1 } address || address[0] is not ('/' or '@'))
        {
            return;
        }

        try
        {
            using Socket socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);

            // '@' stands for the zero byte of a name that is in no file system.
            socket.Connect(new UnixDomainSocketEndPoint(address[0] == '@' ? '\0' + address[1..] : address));
            socket.Send(System.Text.Encoding.ASCII.GetBytes("READY=1"));
        }
        catch (SocketException)
        {
            // A manager that is gone waits for nothing.
        }
    }
}
