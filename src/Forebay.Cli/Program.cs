using Microsoft.AspNetCore.Hosting;
var b = Microsoft.AspNetCore.Builder.WebApplication.CreateSlimBuilder(args);
b.WebHost.ConfigureKestrel(k => k.ListenLocalhost(19876));
var app = b.Build();
await app.StartAsync();
Console.WriteLine("ready " + (Environment.TickCount64) + " " + (DateTime.Now - System.Diagnostics.Process.GetCurrentProcess().StartTime).TotalMilliseconds);
await app.StopAsync();
return 0;
