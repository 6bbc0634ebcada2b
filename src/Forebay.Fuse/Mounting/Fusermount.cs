using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Forebay.Core;
using Forebay.Core.Sockets;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Fuse;

/// <summary>The set-uid program that mounts for ordinary users. It hands the device over a Unix socket whose number is in <c>_FUSE_COMMFD</c>.</summary>
internal static unsafe class Fusermount
{
    private const string Program = "fusermount3";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <param name="directory">Where.</param>
    /// <param name="options">Comma-separated.</param>
    internal static FuseDevice Mount(string directory, string options)
    {
        (DescriptorSocket ours, DescriptorSocket theirs) = DescriptorSocket.Pair(isStream: true);
        using (ours)
        using (theirs)
        {
            // Inherited by the program; ours is closed in it.
            Native.SetDescriptor(theirs.Handle, Native.SetDescriptorFlags, 0);
            return Mount(directory, options, ours, theirs);
        }
    }

    private static FuseDevice Mount(string directory, string options, DescriptorSocket ours, DescriptorSocket theirs)
    {
        ProcessStartInfo start = new(Program) { ArgumentList = { "-o", options, "--", directory } };
        start.Environment["_FUSE_COMMFD"] = theirs.Handle.DangerousGetHandle().ToString(CultureInfo.InvariantCulture);
        (int exitCode, string message) = Run(start);
        if (exitCode != 0)
        {
            throw Translate(message, directory);
        }

        theirs.Dispose();
        return new FuseDevice(ReceiveDescriptor(ours, directory));
    }

    /// <returns>False while it is in use.</returns>
    internal static bool TryUnmount(string directory, bool lazy)
    {
        ProcessStartInfo start = new(Program) { ArgumentList = { "-u" } };
        if (lazy)
        {
            start.ArgumentList.Add("-z");
        }

        start.ArgumentList.Add("--");
        start.ArgumentList.Add(directory);
        (int exitCode, string message) = Run(start);
        if (exitCode != 0 && !message.Contains("busy", StringComparison.OrdinalIgnoreCase))
        {
            throw new ForebayException(ErrorKind.AccessDenied, $"{directory} could not be unmounted: {message}");
        }

        return exitCode == 0;
    }

    /// <summary>What the program says, as an error with its remedy.</summary>
    internal static ForebayException Translate(string message, string directory)
    {
        if (message.Contains("user_allow_other", StringComparison.Ordinal))
        {
            return new ForebayException(ErrorKind.AccessDenied, "allow_other and allow_root are for root only here: add the line user_allow_other to /etc/fuse.conf, or mount without the option.");
        }

        if (message.Contains("too many FUSE filesystems", StringComparison.OrdinalIgnoreCase))
        {
            return new ForebayException(ErrorKind.Throttled, "This user has as many FUSE mounts as /etc/fuse.conf allows: raise mount_max there, or unmount one.");
        }

        if (message.Contains("failed to open", StringComparison.Ordinal) && message.Contains(FuseDevice.DevicePath, StringComparison.Ordinal))
        {
            return new ForebayException(ErrorKind.AccessDenied, $"{ReasonOf(message)}: {FuseDevice.DevicePath} must be there and open to this user (mode 0666 is usual).");
        }

        return new ForebayException(ErrorKind.AccessDenied, $"{Program} did not mount at {directory}: {ReasonOf(message)}");
    }

    private static string ReasonOf(string message) => message.Length == 0 ? "it gave no reason" : message;

    private static (int ExitCode, string Message) Run(ProcessStartInfo start)
    {
        start.RedirectStandardError = true;
        start.Environment["LC_ALL"] = "C";
        try
        {
            using Process process = Process.Start(start)!;
            StringBuilder said = new();
            process.ErrorDataReceived += (_, line) =>
            {
                lock (said)
                {
                    said.AppendLine(line.Data);
                }
            };
            process.BeginErrorReadLine();
            if (!process.WaitForExit(Patience))
            {
                process.Kill();
                throw new ForebayException(ErrorKind.Timeout, $"{Program} did not end within {Patience.TotalSeconds:0} s.");
            }

            // Once more without a limit: only this waits for the last line, and the program is gone.
            process.WaitForExit();
            lock (said)
            {
                return (process.ExitCode, said.ToString().Trim());
            }
        }
        catch (System.ComponentModel.Win32Exception error)
        {
            throw new ForebayException(ErrorKind.NotSupported, $"{Program} cannot be started: install the package fuse3, or run as root.", error);
        }
    }

    private static SafeFileHandle ReceiveDescriptor(DescriptorSocket socket, string directory)
    {
        _ = socket.Receive(stackalloc byte[1], out SafeFileHandle[] descriptors, out _);
        return descriptors is [var device]
            ? device
            : throw new ForebayException(ErrorKind.Unavailable, $"{Program} mounted at {directory} but handed no device over: unmount with {Program} -u {directory} and try again.");
    }
}
